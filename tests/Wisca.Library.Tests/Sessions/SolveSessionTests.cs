using Wisca.Library.Documents;
using Wisca.Library.Sessions;
using Wisca.Transitions;

namespace Wisca.Library.Tests.Sessions;

/// <summary>Factors that another program's numbers give are those that the core finds where it measures itself.</summary>
public sealed class SolveSessionTests
{
    private readonly LooseModel _model = new();

    [Theory]
    [InlineData("""{"preset": "qk_ten+vo_ten"}""", 2)]
    [InlineData("""{"qk": "pair", "vo": "channel", "criterion": "l2"}""", 2)]
    [InlineData("""{"qk": "kv-head", "rounding": "pow2", "hysteresis": 0.1}""", 2)]
    [InlineData("""{"vo": "kv-head", "criterion": "rms", "max_log2": 1}""", 2)]
    [InlineData("""{"qk": "tensor", "criterion": "l1-mean", "layers": "1"}""", 2)]
    [InlineData("""{"qk": "kv-head", "vo": "tensor", "criterion": "fisher"}""", 2)]
    [InlineData("""{"mlp": "channel"}""", 2)]
    [InlineData("""{"qk": "kv-head", "vo": "kv-head", "criterion": "spectral"}""", 3)]
    [InlineData("""{"all": true}""", 4)]
    [InlineData("""{"all": true, "rounding": "pow2", "criterion": "l2"}""", 4)]
    public void Factors_AreThoseOfTheCore(string transitions, int leastRounds)
    {
        var plan = new PlanSession(_model.Request(transitions));
        using var solve = new SolveSession(plan);
        int rounds = _model.Solve(solve);

        var expected = Balancer.Solve(plan.Transitions!, _model, plan.Transitions!.Options.Balance, _model.LengthOf);
        rounds.ShouldBeGreaterThanOrEqualTo(leastRounds);
        solve.Solution.Balances.SelectMany(groups => groups).ShouldBe(expected.Balances.SelectMany(groups => groups));
        solve.Solution.Objective.ShouldBe(expected.Objective);
        expected.Groups.ShouldContain(group => group.Balance.Factor != 1);
        var factors = expected.Factors(_model.LengthOf);
        solve.Factors.Select(entry => entry.Tensor).ShouldBe(factors.Keys, ignoreOrder: true);
        foreach (var (tensor, own) in solve.Factors)
        {
            own.Rows.ShouldBe(factors[tensor].Rows);
            own.Columns.ShouldBe(factors[tensor].Columns);
        }

        var state = solve.Next();
        state.Done.ShouldBeTrue();
        state.Count.ShouldBe(state.Factors!.Sum(entry => entry.Rows + entry.Columns));
        state.Groups!.Select(group => group.Factor).ShouldBe(expected.Groups.Select(group => group.Balance.Factor));
    }

    [Fact]
    public void Next_BeforeItsAnswer_AsksForTheSame()
    {
        using var solve = new SolveSession(new PlanSession(_model.Request("""{"all": true}""")));
        solve.Next().Measures.ShouldBe(solve.Next().Measures);
        solve.Provide(_model.Answer(solve.Next()));
        var more = solve.Next();
        more.Done.ShouldBeFalse();
        more.Measures.ShouldHaveSingleItem().ShouldBe(solve.Next().Measures!.Single());
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Provide_NumberThatIsNone_NamesTheTensor(double number)
    {
        using var solve = new SolveSession(new PlanSession(_model.Request("""{"qk": "tensor"}""")));
        var state = solve.Next();
        double[] answer = _model.Answer(state);
        answer[^1] = number;
        Should.Throw<WiscaException>(() => solve.Provide(answer)).Message
            .ShouldBe($"parameter '{state.Measures![^1].Tensor}' holds NaN or infinity");
    }

    [Fact]
    public void Provide_OutOfTurnOrOtherCount_IsRefused()
    {
        using var solve = new SolveSession(new PlanSession(_model.Request("""{"qk": "tensor"}""")));
        Should.Throw<RequestException>(() => solve.Provide([1])).Message.ShouldContain("nothing is asked for");
        Should.Throw<RequestException>(() => solve.Solution).Message.ShouldContain("not done");
        double[] answer = _model.Answer(solve.Next());
        Should.Throw<RequestException>(() => solve.Provide(answer.AsSpan(1))).Message
            .ShouldBe($"{answer.Length - 1} numbers are provided, expected {answer.Length}");
        solve.Provide(answer);
        Should.Throw<RequestException>(() => solve.Provide(answer)).Message.ShouldContain("nothing is asked for");
    }

    [Fact]
    public void Dispose_InTheMiddle_EndsTheThread()
    {
        var solve = new SolveSession(new PlanSession(_model.Request("""{"all": true}""")));
        solve.Provide(_model.Answer(solve.Next()));
        solve.Next().Done.ShouldBeFalse();

        // It joins: a thread that went on waiting would hang here.
        solve.Dispose();
    }

    [Fact]
    public void Rotations_Alone_HaveNothingToSolve() =>
        Should.Throw<RequestException>(() => new SolveSession(new PlanSession(_model.Request(null, """{"stream": true}"""))));
}
