using TorchSharp;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Evaluation.Flatness;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

[Collection(TorchCollection.Name)]
public sealed class OrbitTests
{
    /// <summary>The paper's (q k - c)^2: H has the diagonal (2 k^2, 2 q^2), and is flattest where |q| = |k|.</summary>
    [Theory]
    [InlineData(3, 0.5)]
    [InlineData(-2, 2)]
    [InlineData(0.1, -7)]
    public void Scan_ScalarExample_IsFlattestWhereBothAreEqual(double q, double k)
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => (p[0] * p[1] - 1.7).square().sum(), tensor(new[,] { { q } }), tensor(new[,] { { k } }));
        var exchange = new Exchange(
            0, TransitionKind.QueryKey, Granularity.Tensor, [0], [new GroupLabel(null, null)], [Slice("p0", +1), Slice("p1", -1)]);
        var orbit = new OrbitScanner(objective, exchange).Scan(new OrbitOptions { Range = 3 });
        (orbit.Curvature.Multiplied.Value, orbit.Curvature.Divided.Value).ShouldBe((2 * k * k, 2 * q * q), new Near());
        orbit.Curvature.FlattestLog2!.Value.ShouldBe(0.5 * Math.Log2(Math.Abs(k / q)), 1e-12);
        orbit.Curvature.LeastTrace!.Value.ShouldBe(4 * Math.Abs(q * k), 1e-12);
        foreach (var point in orbit.Points)
        {
            double s = Math.Pow(2, point.Log2), qs = q * s, ks = k / s;
            point.Pair.ShouldBe((2 * ks * ks) + (2 * qs * qs), 1e-10 * point.Pair);
            double off = (4 * qs * ks) - (2 * 1.7);
            double largest = (qs * qs) + (ks * ks) + Math.Sqrt(Math.Pow((qs * qs) - (ks * ks), 2) + (off * off));
            point.LargestEigenvalue.Value.ShouldBe(largest, 1e-9 * largest);
        }

        // One element each: every norm is its magnitude, so every criterion lands on the flattest point;
        // so does Fisher, g = 2 (qk - c) (k, q).
        orbit.Marks.Length.ShouldBe(6);
        foreach (var mark in orbit.Marks) mark.Log2!.Value.ShouldBe(orbit.Curvature.FlattestLog2.Value, 1e-9, $"{mark.Criterion}");
        orbit.MaxLossDifference.ShouldBe(0);

        static ScaledAxis Slice(string name, int exponent) => new(name, 0, exponent, false, [new ChannelRun(0, 0, 1)]);
    }

    /// <summary>On a model: the loss stays to the last bit, the traces follow the formula, and the model is put back.</summary>
    [Theory]
    [InlineData("llama", TransitionKind.QueryKey, Granularity.Tensor, 0)]
    [InlineData("llama", TransitionKind.ValueOutput, Granularity.KvHead, 1)]
    [InlineData("gpt2", TransitionKind.QueryKey, Granularity.Tensor, 0)]
    [InlineData("gpt2", TransitionKind.ValueOutput, Granularity.Tensor, 0)]
    public void Scan_SmallModel_FollowsTheFormula(string modelType, TransitionKind kind, Granularity granularity, int group)
    {
        using var model = SmallModels.Decoder(modelType);
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        double[] before = objective.Parameters.Values().data<double>().ToArray();
        var exchange = Exchange(model, modelType, kind, granularity);
        var orbit = new OrbitScanner(objective, exchange, group).Scan(
            new OrbitOptions { Range = 2, Probes = 2, Eigenvalue = new LanczosOptions { MaxSteps = 10 } });
        orbit.Points.Select(point => point.Log2).ShouldBe([-2, -1, 0, 1, 2]);
        orbit.MaxLossDifference.ShouldBe(0);
        orbit.MaxTraceDeviation.ShouldBeLessThan(1e-11);
        foreach (var point in orbit.Points) point.Rest.ShouldBe(orbit.Rest.Value, 1e-11 * Math.Abs(orbit.Rest.Value));
        orbit.Points.Select(point => point.Pair).Distinct().Count().ShouldBe(5);
        orbit
            .Points.Select(point => point.LargestEigenvalue.Value)
            .Max()
            .ShouldBeGreaterThan(1.01 * orbit.Points.Min(point => point.LargestEigenvalue.Value));
        objective.Parameters.Values().data<double>().ToArray().ShouldBe(before);
    }

    /// <summary>The traces themselves and not estimates, unit vector by unit vector, at a factor that is no power of two.</summary>
    [Fact]
    public void At_SmallModel_ScalesTheExactTraces()
    {
        const string query = "model.layers.0.self_attn.q_proj.", key = "model.layers.0.self_attn.k_proj.";
        using var model = SmallModels.Decoder("llama");
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        var scanner = new OrbitScanner(objective, Exchange(model, "llama", TransitionKind.QueryKey, Granularity.Tensor));
        double[] here = Traces(), there = scanner.At(0.7, Traces);
        double square = Math.Pow(2, 2 * 0.7);
        there.ShouldBe([here[0] / square, here[1] * square], 1e-11 * here.Max(Math.Abs));

        // What Hutchinson estimates is what was just summed up.
        var pair = PairMeter.Measure(
            objective,
            Plan(model, "llama", TransitionKind.QueryKey, Granularity.Tensor),
            new TraceOptions { MinProbes = 40, MaxProbes = 40 }
        )[0];
        Math.Abs(pair.Multiplied.Value - here[0]).ShouldBeLessThan(3 * pair.Multiplied.StandardError);
        Math.Abs(pair.Divided.Value - here[1]).ShouldBeLessThan(3 * pair.Divided.StandardError);

        double[] Traces() => [Both(query), Both(key)];
        double Both(string module) =>
            DenseHessian.BlockTrace(objective, module + "weight") + DenseHessian.BlockTrace(objective, module + "bias");
    }

    /// <summary>What the report calls invariant is so along the orbit, at finer granularity too; what it says moves does.</summary>
    [Theory]
    [InlineData(TransitionKind.QueryKey, Granularity.Pair)]
    [InlineData(TransitionKind.ValueOutput, Granularity.Channel)]
    [InlineData(TransitionKind.ValueOutput, Granularity.Tensor)]
    public void At_OtherGauges_MoveWhatIsSaidToMove(TransitionKind kind, Granularity granularity)
    {
        using var model = SmallModels.Decoder("llama");
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        var scanner = new OrbitScanner(objective, Exchange(model, "llama", kind, granularity));
        var (here, there) = (Measure(), scanner.At(1.3, Measure));
        there.Loss.ShouldBe(here.Loss, 1e-13);
        there.Adaptive.ShouldBe(here.Adaptive, 1e-11 * here.Adaptive);
        there.AdaptiveMany.ShouldBe(here.AdaptiveMany, 1e-9 * here.AdaptiveMany);
        Moved(there.Plain, here.Plain);
        Moved(there.Cosine, here.Cosine);
        if (kind == TransitionKind.ValueOutput && granularity == Granularity.Channel) Moved(there.Slice, here.Slice);
        else there.Slice.ShouldBe(here.Slice, 1e-12);

        (double Loss, double Adaptive, double AdaptiveMany, double Plain, double Cosine, double Slice) Measure() =>
        (
            objective.Loss(),
            SharpnessMeter.Measure(objective, new SharpnessOptions { Adaptive = true, Radius = 0.3 }).Sharpness,
            SharpnessMeter.Measure(objective, new SharpnessOptions { Adaptive = true, Radius = 0.3, Steps = 4 }).Sharpness,
            SharpnessMeter.Measure(objective, new SharpnessOptions()).Sharpness,
            GradientTurn.Measure(objective, [0.3])[0].Cosine!.Value,
            LossSurface.Slice(objective, objective.FilterAxis, 1, 2, 1, 3).Points[0].Loss);

        static void Moved(double there, double here) => Math.Abs(there - here).ShouldBeGreaterThan(1e-6 * Math.Abs(here));
    }

    /// <summary>Marks are the factors that rescaling a checkpoint of the same weights finds,
    /// and Fisher's those of summed squared gradients.</summary>
    [Fact]
    public void Scan_Marks_AreTheFactorsOfRescaling()
    {
        using var folder = new TemporaryFolder();
        using var model = SmallModels.Decoder("llama");
        using var scope = NewDisposeScope();
        model.Save(folder["model"], new SaveOptions { Dtype = Dtype.F64 });
        using var checkpoint = Checkpoint.Open(folder["model"]);
        using var objective = SmallModels.Objective(model);
        var exchange = Exchange(model, "llama", TransitionKind.QueryKey, Granularity.Tensor);
        var marks = new OrbitScanner(objective, exchange).Scan(
            new OrbitOptions { Range = 1, Probes = 2, Eigenvalue = new LanczosOptions { MaxSteps = 1 } }).Marks;
        foreach (var criterion in Enum.GetValues<Criterion>().Where(criterion => criterion != Criterion.Fisher))
        {
            var options = new RescaleOptions { ValueOutput = null, Balance = new BalanceOptions(criterion), Layers = new LayerRange("0") };
            double factor = Rescaler.DryRun(checkpoint, options).Solution.Groups.Single().Balance.Factor;
            marks
                .Single(mark => mark.Criterion == criterion)
                .Log2!.Value.ShouldBe(Math.Log2(factor), criterion == Criterion.Spectral ? 1e-5 : 1e-10, $"{criterion}");
        }

        double[] squares = [.. new[] { "q", "k" }.Select(role => Enumerable.Range(0, objective.Windows.Count).Sum(window =>
        {
            int at = window * (objective.Windows.Length + 1);
            using var single = new DecoderObjective(
                model,
                new TokenWindows(objective.Windows.Ids[at..(at + objective.Windows.Length + 1)], objective.Windows.Length));
            int index = single.Parameters.Names.ToList().IndexOf($"model.layers.0.self_attn.{role}_proj.weight");
            return single.Parameters.Split(single.Gradient())[index].square().sum().AsDouble();
        }))];
        marks.Single(mark => mark.Criterion == Criterion.Fisher).Log2!.Value.ShouldBe(0.25 * Math.Log2(squares[0] / squares[1]), 1e-10);
    }

    /// <summary>Blocks in which curvature is negative or lost in noise have no flattest point, and are not given one.</summary>
    [Fact]
    public void PairCurvature_TraceNotAboveItsNoise_HasNoFlattestPoint()
    {
        Pair(1, 0.1, 4, 0.1).FlattestLog2!.Value.ShouldBe(-0.5, 1e-12);
        Pair(1, 0.1, 4, 0.1).FlattestLog2Error!.Value.ShouldBe(0.25 / Math.Log(2) * double.Hypot(0.1, 0.025), 1e-12);
        Pair(1, 0.6, 4, 0.1).FlattestLog2.ShouldBeNull();
        Pair(1, 0.1, -4, 0.1).LeastTrace.ShouldBeNull();
        Pair(0, 0, 4, 0.1).FlattestLog2Error.ShouldBeNull();

        static PairCurvature Pair(double a, double errorOfA, double b, double errorOfB) =>
            new(0, TransitionKind.QueryKey, default, new TraceEstimate(a, errorOfA, 8), new TraceEstimate(b, errorOfB, 8));
    }

    [Fact]
    public void Run_OrbitThatIsNotThere_IsRefusedBeforeTheWork()
    {
        using var model = SmallModels.Decoder("llama");
        var options = new FlatnessOptions { Measures = [FlatnessMeasure.Orbit] };
        Run(options with { OrbitLayer = 1 }).Message.ShouldBe("layer 1 is not among the model's layers 0 to 0");
        Run(options with { OrbitKvHead = 2 }).Message.ShouldBe("kv head 2 is not among the layer's kv heads 0 to 1");
        using var other = SmallModels.Decoder("gpt2");
        Should
            .Throw<WiscaException>(() =>
                FlatnessAnalyzer.Run(
                    model, SmallModels.Config("llama"), SmallModels.Windows(), new FlatnessOptions { Measures = [FlatnessMeasure.Between] },
                    other))
            .Message.ShouldStartWith("the second model has other tensors: model.embed_tokens.weight");

        WiscaException Run(FlatnessOptions asked) =>
            Should.Throw<WiscaException>(() => FlatnessAnalyzer.Run(model, SmallModels.Config("llama"), SmallModels.Windows(), asked));
    }

    /// <summary>Everything at once, twice: the same numbers, and no tensor left behind.</summary>
    [Fact]
    public void Run_Everything_RepeatsAndLeavesNoTensorsBehind()
    {
        using var model = SmallModels.Decoder("llama", ScalarType.Float32);
        using var other = SmallModels.Decoder("llama", ScalarType.Float32);
        var options = new FlatnessOptions
        {
            Measures = [.. Enum.GetValues<FlatnessMeasure>()],
            Eigenvalues = new LanczosOptions { MaxSteps = 8 },
            GradientSteps = [0.1],
            Trace = new TraceOptions { MaxProbes = 4 },
            Pairs = new TraceOptions { MaxProbes = 2 },
            Points = 3,
            SliceDimensions = 2,
            AscentSteps = 2,
            Orbit = new OrbitOptions { Range = 1, Probes = 2, Eigenvalue = new LanczosOptions { MaxSteps = 4 } },
            Seed = 5,
        };
        var first = Run();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var second = Run();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);
        second.Eigenvalues!.Largest.ShouldBe(first.Eigenvalues!.Largest);
        second.Trace!.Blocks.ShouldBe(first.Trace!.Blocks);
        second.Pairs.ShouldBe(first.Pairs);
        second.Orbit!.Points.ShouldBe(first.Orbit!.Points);
        first.Pairs.Length.ShouldBe(2);
        first.Curves.Select(curve => curve.Points.Length).ShouldBe([9, 3]);
        first.Curves[1].Points.Select(point => point.Loss).Distinct().Count().ShouldBe(1);
        first.Sharpness.Length.ShouldBe(4);
        first.Invariances.Length.ShouldBe(Invariance.All.Length);
        first.Orbit.MaxLossDifference.ShouldBe(0);

        FlatnessReport Run() => FlatnessAnalyzer.Run(model, SmallModels.Config("llama"), SmallModels.Windows(), options, other);
    }

    /// <summary>A model without exact exchanges is measured all the same, and the reason is told.</summary>
    [Fact]
    public void Run_NoPairs_TellsWhy()
    {
        using var model = TinyFamilies.Create("qwen3");
        var options = new FlatnessOptions { Measures = [FlatnessMeasure.Pairs], Pairs = new TraceOptions { MaxProbes = 2 } };
        var report = FlatnessAnalyzer.Run(model, ModelConfig.Parse(TinyFamilies.Config("qwen3")), SmallModels.Windows(), options);
        report.Pairs.ShouldAllBe(pair => pair.Kind == TransitionKind.ValueOutput);
        report.Refusals.Single().ShouldStartWith("qk in layers 0, 1: ");
    }

    private static TransitionPlan Plan(Decoder model, string modelType, TransitionKind kind, Granularity granularity) =>
        WiscaScheduler.PlanFor(
            model.named_parameters().Select(entry => (entry.name, entry.parameter)),
            SmallModels.Config(modelType),
            new TransitionOptions
            {
                QueryKey = kind == TransitionKind.QueryKey ? granularity : null,
                ValueOutput = kind == TransitionKind.ValueOutput ? granularity : null,
                Layers = new LayerRange("0"),
            });

    private static Exchange Exchange(Decoder model, string modelType, TransitionKind kind, Granularity granularity) =>
        Plan(model, modelType, kind, granularity).Exchanges.Single();

    private sealed class Near : IEqualityComparer<(double, double)>
    {
        public bool Equals((double, double) x, (double, double) y) =>
            Math.Abs(x.Item1 - y.Item1) < 1e-10 && Math.Abs(x.Item2 - y.Item2) < 1e-10;

        public int GetHashCode((double, double) obj) => 0;
    }
}
