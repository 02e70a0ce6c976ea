using Wisca.Adapters;
using Wisca.Rotations;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Lora;

/// <summary>A module's ranks between A and B: an orthogonal matrix there changes no product.</summary>
[Collection(TorchCollection.Name)]
public sealed class LoraRotationTests
{
    private const int Before = 10, Steps = 60;

    private static readonly AdapterSettings Plain = new()
    {
        Targets = TargetModules.AllLinear,
        Rank = 4,
        Alpha = 5,
        Ranks = [("q_proj", 8), ("down_proj", 2)],
    };

    public static TheoryData<string> Kinds => ["plain", "dora", "rslora", "pissa"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Apply_AnyAdapter_KeepsTheFunctionAndTurnsEveryModule(string kind)
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config(kind));
        if (kind != "pissa") LoraRun.Disturb(lora);
        using var optimizer = new AdamW(lora.Parameters);
        double[] before = LoraRun.Logits(decoder), parameters = All(lora), magnitudes = Magnitudes(lora);
        var initial = Initial(lora);
        using var scheduler = Scheduler(lora, new RotationOptions { Source = RotationSource.Random }, optimizer);
        var done = scheduler.Apply(1, () => LoraRun.Loss(lora, 1));
        done.Spaces.Select(space => space.Space.Name).ShouldBe(lora.Modules);
        done.Spaces.Select(space => space.Space.Size).Distinct().Order().ShouldBe([2, 4, 8]);
        done.Spaces.ShouldAllBe(space => space.Skipped == null && space.Angle > 0);
        LoraRun.Largest(before, LoraRun.Logits(decoder)).ShouldBeLessThan(1e-12 * before.Max(Math.Abs));
        LoraRun.Largest(parameters, All(lora)).ShouldBeGreaterThan(1e-2);
        Magnitudes(lora).ShouldBe(magnitudes);
        (magnitudes.Length > 0).ShouldBe(kind == "dora");

        // What was taken out of the base turns too, so that its product stays: an adapter is saved by both.
        foreach (var (then, now) in initial.Zip(Initial(lora)))
        {
            LoraRun.Largest(then.Product, now.Product).ShouldBeLessThan(1e-12);
            LoraRun.Largest(then.A, now.A).ShouldBeGreaterThan(1e-3);
        }

        (initial.Count > 0).ShouldBe(kind == "pissa");
    }

    [Fact]
    public void Apply_Momenta_BecomeTheGradientsOfTheNewFactors()
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config("dora"));
        LoraRun.Disturb(lora, 0.05);
        using var optimizer = new SgdMomentum(lora.Parameters);
        LoraRun.Backward(lora, 1);
        optimizer.Step(0);
        using var scheduler = Scheduler(lora, new RotationOptions { Source = RotationSource.Random }, optimizer);
        scheduler.Apply(1);
        LoraRun.Backward(lora, 1);
        foreach (var (name, parameter) in lora.Parameters)
        {
            double[] gradient = LoraRun.Values(parameter.grad!), momentum = LoraRun.Values(optimizer.StateOf(name).Single().Tensor);
            LoraRun.Largest(gradient, momentum).ShouldBeLessThan(1e-11 * gradient.Max(Math.Abs), name);
        }
    }

    /// <summary>The covariance of a module by hand, from the gradients of the rotated adapter.</summary>
    [Theory]
    [InlineData(RotationSource.Gradient)]
    [InlineData(RotationSource.Momentum)]
    [InlineData(RotationSource.Weights)]
    public void Apply_EachSource_MakesTheCovarianceOfEveryModuleDiagonal(RotationSource source)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config("plain"));
        LoraRun.Disturb(lora, 0.05);
        using var optimizer = new SgdMomentum(lora.Parameters);
        LoraRun.Backward(lora, 1);
        using var scheduler = Scheduler(lora, new RotationOptions { Source = source, Search = BasisSearch.Eigenvectors }, optimizer);
        scheduler.Observe(0);
        optimizer.Step(0);
        double[] before = Shares();
        var (least, diagonal) = scheduler.Apply(1).Mean(RotationKind.LoraFactors)!.Value;
        LoraRun.Backward(lora, 1);
        Shares().ShouldAllBe(share => Math.Abs(share - 1) < 1e-10);
        before.Average().ShouldBe(diagonal!.Value.Before, 1e-10);
        before.Average().ShouldBeLessThan(0.95);
        diagonal.Value.After.ShouldBe(1, 1e-10);
        least.ShouldBeGreaterThan(1);

        double[] Shares() =>
        [
            .. lora.Layers.Select(layer =>
            {
                Tensor a = source == RotationSource.Weights ? layer.A : layer.A.grad!;
                Tensor b = source == RotationSource.Weights ? layer.B : layer.B.grad!;
                Tensor rows = a.matmul(a.t()), columns = b.t().matmul(b);
                var sum = (rows / rows.trace()) + (columns / columns.trace());
                return (sum.diagonal().square().sum() / sum.square().sum()).item<double>();
            }),
        ];
    }

    [Theory]
    [InlineData(SecondMomentPolicy.Keep)]
    [InlineData(SecondMomentPolicy.Mix)]
    [InlineData(SecondMomentPolicy.Reset)]
    public void Apply_SecondMoments_FollowThePolicy(SecondMomentPolicy policy)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config("plain"));
        LoraRun.Disturb(lora, 0.05);
        using var optimizer = new AdamW(lora.Parameters);
        LoraRun.Backward(lora, 1);
        optimizer.Step(0);
        using var scheduler = Scheduler(lora, new RotationOptions { Source = RotationSource.Random, State = policy }, optimizer);
        var space = scheduler.Spaces[0];
        string a = space.Slices[0].Tensor, b = space.Slices[1].Tensor;
        Tensor rows = Second(a).clone(), columns = Second(b).clone();
        scheduler.Apply(1);
        if (policy == SecondMomentPolicy.Reset)
        {
            optimizer.StateOf(a).Concat(optimizer.StateOf(b)).ShouldBeEmpty();
            return;
        }

        var squares = tensor(scheduler.TotalOf(space)).square();
        (Tensor A, Tensor B) expected = policy == SecondMomentPolicy.Keep
            ? (rows, columns)
            : (squares.t().matmul(rows), columns.matmul(squares));
        LoraRun.Largest(LoraRun.Values(expected.A), LoraRun.Values(Second(a))).ShouldBeLessThan(1e-12 * rows.max().item<double>());
        LoraRun.Largest(LoraRun.Values(expected.B), LoraRun.Values(Second(b))).ShouldBeLessThan(1e-12 * columns.max().item<double>());

        Tensor Second(string name) => optimizer.StateOf(name).Single(state => state.Degree == -2).Tensor;
    }

    [Theory]
    [InlineData("sgd", "plain")]
    [InlineData("momentum", "plain")]
    [InlineData("momentum", "dora")]
    [InlineData("muon", "plain")]
    public void Apply_EquivariantOptimizer_ChangesNoLoss(string optimizer, string kind)
    {
        double[] plain = Losses(optimizer, kind, null);
        foreach (var source in (RotationSource[])[RotationSource.Random, RotationSource.Gradient, RotationSource.Hadamard])
        {
            double[] rotated = Losses(optimizer, kind, source);
            plain.Zip(rotated, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-9, source.ToString());
            rotated[..Before].ShouldBe(plain[..Before]);
            rotated.ShouldNotBe(plain);
        }

        (plain[0] - plain[^1]).ShouldBeGreaterThan(1e-3);
    }

    [Fact]
    public void Apply_AdamW_ChangesTheLossAfterwards()
    {
        double[] plain = Losses("adamw", "plain", null), rotated = Losses("adamw", "plain", RotationSource.Random);
        plain.Zip(rotated, (x, y) => Math.Abs(x - y)).Max().ShouldBeGreaterThan(1e-4);
        plain[..(Before + 1)].Zip(rotated, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-12);
    }

    /// <summary>A that stays while B turns is another adapter.</summary>
    [Fact]
    public void Apply_PlanWithoutA_IsTakenBack()
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config("plain"));
        LoraRun.Disturb(lora);
        var plan = lora.RotationPlan();
        plan = plan with { Spaces = [.. plan.Spaces.Select(space => space with { Slices = [space.Slices[1]] })] };
        using var scheduler = new RotationScheduler(
            lora.AllParameters, plan, new RotationOptions { Source = RotationSource.Random, Stream = false, Adapters = true }, lora);
        double[] before = All(lora);
        Should.Throw<WiscaException>(() => scheduler.Apply(3, () => LoraRun.Loss(lora, 1))).Message.ShouldEndWith("it was taken back");
        All(lora).ShouldBe(before);
    }

    [Fact]
    public void Create_HadamardOfARankWithoutOne_IsRefused()
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config(rank: 3));
        Should
            .Throw<WiscaException>(() => Scheduler(lora, new RotationOptions { Source = RotationSource.Hadamard }, lora))
            .Message.ShouldBe("no Hadamard matrix of size 3 is known here");
    }

    private static double[] Losses(string kind, string adapter, RotationSource? source)
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config(adapter));
        using Optimizer optimizer = kind switch
        {
            "adamw" => new AdamW(lora.Parameters),
            "muon" => new Muon(lora.Parameters, new MuonOptions { HeadPatterns = [] }),
            _ => new SgdMomentum(lora.Parameters, new SgdMomentumOptions { Momentum = kind == "sgd" ? 0 : 0.9 }),
        };
        using var scheduler = Scheduler(
            lora, new RotationOptions { Source = source ?? RotationSource.Identity, Start = Before, Every = Steps }, optimizer);
        return
        [
            .. Enumerable.Range(0, Steps).Select(step =>
            {
                double loss = LoraRun.Backward(lora, step % 4);
                scheduler.Observe(step);
                optimizer.ClipGradients(1);
                optimizer.Step(kind switch { "sgd" => 0.3, "momentum" => 0.1, _ => 5e-3 });
                if (source is not null) scheduler.Step(step + 1);
                return loss;
            }),
        ];
    }

    private static RotationScheduler Scheduler(LoraModel lora, RotationOptions options, IParameterState state) => new(
        lora.AllParameters, lora.RotationPlan(), options with { Stream = false, Adapters = true }, state == lora ? [lora] : [state, lora]);

    private static AdapterConfig Config(string kind) => AdapterConfig.Create(
        Plain with
        {
            Dora = kind == "dora",
            RankStabilized = kind == "rslora",
            Initialization = kind == "pissa" ? LoraInitialization.Pissa : LoraInitialization.Default,
        });

    private static double[] All(LoraModel lora) => [.. lora.Parameters.SelectMany(entry => LoraRun.Values(entry.parameter))];

    private static double[] Magnitudes(LoraModel lora) =>
        [.. lora.Layers.Select(layer => layer.Magnitude).OfType<Tensor>().SelectMany(LoraRun.Values)];

    private static List<(double[] Product, double[] A)> Initial(LoraModel lora) =>
    [
        .. lora.Layers.Select(layer => layer.Initial).OfType<(Tensor A, Tensor B)>()
            .Select(initial => (LoraRun.Values(initial.B.matmul(initial.A)), LoraRun.Values(initial.A))),
    ];
}
