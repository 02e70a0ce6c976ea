using System.Text.Json;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;

namespace Wisca.Library.Tests.Sessions;

public sealed class LedgerSessionTests
{
    private readonly LooseModel _model = new();

    [Fact]
    public void Product_OfTwoTransitions_IsUndoneAtOnce()
    {
        var plan = new PlanSession(_model.Request("""{"qk": "pair", "vo": "kv-head"}"""));
        var ledger = new LedgerSession(plan, null);
        double[] expected = [.. Enumerable.Repeat(1.0, ledger.State().Product.Sum(factors => factors.Length))];
        for (int round = 0; round < 2; round++)
        {
            using var solve = new SolveSession(plan);
            _model.Solve(solve);
            ledger.Record(solve);
            expected = [.. expected.Zip(solve.Solution.Groups, (product, group) => product * group.Balance.Factor)];
            _model.Tensors["model.layers.0.self_attn.q_proj.weight"].Values.AsSpan()[..7].Fill(round + 3);
        }

        ledger.State().Transitions.ShouldBe(2);
        ledger.State().Product.SelectMany(factors => factors).ShouldBe(expected);
        using var undo = ledger.Undo();
        undo.Next().Done.ShouldBeTrue();
        undo.Solution.Groups.Select(group => group.Balance.Factor).ShouldBe(expected.Select(factor => 1 / factor));
    }

    [Fact]
    public void State_GoesOnToTheBit()
    {
        var plan = new PlanSession(_model.Request("""{"qk": "pair"}"""));
        var ledger = new LedgerSession(plan, null);
        using var solve = new SolveSession(plan);
        _model.Solve(solve);
        ledger.Record(solve);
        string state = JsonSerializer.Serialize(ledger.State(), LibraryJson.Default.LedgerState);
        var resumed = new LedgerSession(plan, state);
        JsonSerializer.Serialize(resumed.State(), LibraryJson.Default.LedgerState).ShouldBe(state);
        resumed.State().Product.SelectMany(factors => factors).ShouldBe(ledger.State().Product.SelectMany(factors => factors));
    }

    [Fact]
    public void State_OfAnotherPlan_IsRefused()
    {
        string state = JsonSerializer.Serialize(
            new LedgerSession(new PlanSession(_model.Request("""{"qk": "pair"}""")), null).State(), LibraryJson.Default.LedgerState);
        var other = new PlanSession(_model.Request("""{"qk": "tensor"}"""));
        Should.Throw<WiscaException>(() => new LedgerSession(other, state)).Message.ShouldContain("those of another plan");
        Should.Throw<RequestException>(() => new LedgerSession(other, """{"transitions": 1, "product": [[0], [1]]}"""))
            .Message.ShouldContain("not a positive number");
    }

    [Fact]
    public void Record_SolveThatIsNotDone_IsRefused()
    {
        var plan = new PlanSession(_model.Request("""{"qk": "pair"}"""));
        using var solve = new SolveSession(plan);
        Should.Throw<RequestException>(() => new LedgerSession(plan, null).Record(solve)).Message.ShouldContain("not done");
    }
}
