using TorchSharp;
using Wisca.Rotations;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Transitions;

[Collection(TorchCollection.Name)]
public sealed class RotationTests
{
    public static TheoryData<string, GainPolicy> Families =>
        [.. from type in DecoderConfig.ModelTypes
            // Norms behind the branches, and latents, which no table describes yet.
            where type is not ("gemma2" or "gemma3_text" or "glm4" or "olmo2" or "deepseek_v3")
            from gains in (GainPolicy[])[GainPolicy.Follow, GainPolicy.Fold]
            select (type, gains)];

    [Theory]
    [MemberData(nameof(Families))]
    public void Rotate_RandomlyAndEverywhere_KeepsTheFunction(string family, GainPolicy gains)
    {
        using var model = Create(family);
        double[] before = Logits(model);
        using var scheduler = Scheduler(model, new RotationOptions { Source = RotationSource.Random, Values = true, Gains = gains });
        scheduler.Apply(1, () => Loss(model)).Spaces.ShouldAllBe(space => space.Skipped == null && space.Angle > 10);
        double[] after = Logits(model);
        Largest(before, after).ShouldBeLessThan(1e-12 * before.Max(Math.Abs));
        before.ShouldNotBe(after);
        if (gains == GainPolicy.Follow) return;
        foreach (var gain in scheduler.Spaces[0].Gains.Where(gain => !gain.MustBeUniform))
            Values(Named(model)[gain.Tensor]).ShouldAllBe(value => value == (gain.AddsOne ? 0 : 1));
    }

    [Theory]
    [InlineData("gemma2")]
    [InlineData("gemma3_text")]
    [InlineData("glm4")]
    [InlineData("olmo2")]
    public void Create_NormsThatWriteIntoTheStream_AreRefusedWithTheReason(string family)
    {
        using var model = Create(family);
        Should
            .Throw<WiscaException>(() => Scheduler(model, new RotationOptions()))
            .Message.ShouldBe(
                $"rotate stream: not exact in this model: in {family} norms write into the residual stream, and their gains act in the "
                + "stream's own basis");
    }

    [Fact]
    public void Create_TiedHeadBehindGainsThatDiffer_IsRefusedWithTheReason()
    {
        using var model = TinyFamilies.Create("llama");
        Should
            .Throw<WiscaException>(Scheduler(model, new RotationOptions()).CheckGains)
            .Message.ShouldBe(
                "rotate stream: not exact in this model: gain 'model.norm.weight' is not the same for all channels, and has nowhere to go: "
                + "the output projection is tied to the embedding, or the norm writes into the residual stream");
    }

    /// <summary>What is wrong with the plan, and on which family it must be found.</summary>
    public static TheoryData<string, string> Faults =>
        [
            .. from family in (string[])["llama", "qwen2_moe", "gpt2", "gpt_neox", "mixtral"]
               from fault in (string[])["reader", "writer", "embedding", "gain", "transposed"]
               select (family, fault),
            ("gpt2", "beta"), ("gpt_neox", "beta"), ("gpt2", "ones"), ("gpt2", "half"), ("gpt_neox", "half"),
        ];

    [Theory]
    [MemberData(nameof(Faults))]
    public void Apply_PlanThatIsWrong_IsTakenBack(string family, string fault)
    {
        using var model = Create(family);
        var plan = RotationScheduler.PlanFor(model);
        var space = plan.Spaces[0];
        bool values = fault == "half";
        if (values) space = plan.Spaces[1];
        var slices = space.Slices;
        space = fault switch
        {
            "reader" => space with { Slices = slices.Remove(slices.Last(slice => slice.Role == SliceRole.Reads)) },
            "writer" => space with { Slices = slices.Remove(slices.Last(slice => slice.Role == SliceRole.Writes)) },
            "embedding" => space with { Slices = slices.RemoveAt(0) },
            "gain" => space with { Slices = [.. slices.Select(slice => slice with { Gain = null })] },
            "beta" => space with { Gains = [.. space.Gains.Select(gain => gain with { Bias = null })] },
            "ones" => space with { KeepsOnes = false },
            "half" => space with { Slices = slices.SetItem(0, slices[0] with { Start = slices[0].Start - space.Size }) },
            _ => space,
        };
        plan = plan with { Spaces = [space] };
        using var scheduler = new RotationScheduler(
            Named(model).Select(entry => (entry.Key, entry.Value)), plan,
            new RotationOptions { Source = RotationSource.Random, Stream = !values, Values = values });
        double[] before = Logits(model);
        if (fault == "transposed")
        {
            // The same matrix, forgotten to be transposed for one that writes.
            double[,] rotation = OrthogonalMatrix.Random(space.Size, 3, space.KeepsOnes), transposed = Transposed(rotation);
            var writer = slices.Last(slice => slice.Role == SliceRole.Writes);
            var live = new LiveModel(Named(model).Select(entry => (entry.Key, (Tensor)entry.Value)), []);
            live.Rotate(space with { Slices = slices.Remove(writer) }, rotation, GainPolicy.Follow, SecondMomentPolicy.Keep);
            live.Rotate(space with { Slices = [writer], Gains = [] }, transposed, GainPolicy.Follow, SecondMomentPolicy.Keep);
            Largest(before, Logits(model)).ShouldBeGreaterThan(1e-6);
            return;
        }

        var failure = Should.Throw<WiscaException>(() => scheduler.Apply(7, () => Loss(model)));
        failure.Message.ShouldStartWith("the rotation after step 7 changed the loss of a fixed batch from ");
        failure.Message.ShouldEndWith("; it was taken back");
        Logits(model).ShouldBe(before);
        scheduler.Rotations.ShouldBe(0);
        scheduler.TotalOf(scheduler.Spaces[0]).ShouldBe(OrthogonalMatrix.Identity(space.Size));
    }

    /// <summary>The oracle of what momenta become is the gradient itself, before and after.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Rotate_Momenta_BecomeTheGradientsOfTheRotatedModel(string family, GainPolicy gains)
    {
        using var model = Create(family);
        Gradients(model);
        var kept = new KeptTensors(Named(model).ToDictionary(entry => entry.Key, entry => entry.Value.grad!.clone()), -1);
        using var scheduler = Scheduler(
            model, new RotationOptions { Source = RotationSource.Random, Values = true, Gains = gains }, kept);
        scheduler.Apply(1);
        Gradients(model);
        var followers = scheduler
            .Spaces.SelectMany(space => space.Slices.Select(slice => slice.Tensor).Concat(space.Gains.Select(gain => gain.Bias)))
            .OfType<string>()
            .Distinct();
        foreach (string name in followers)
        {
            double[] expected = Values(Named(model)[name].grad!);
            Largest(expected, Values(kept[name])).ShouldBeLessThan(1e-11 * (1e-3 + expected.Max(Math.Abs)), name);
        }
    }

    [Fact]
    public void Rotate_SecondMoments_FollowThePolicy()
    {
        using var model = Create("mistral");
        const string reader = "model.layers.0.self_attn.q_proj.weight", gain = "model.layers.0.input_layernorm.weight";
        double[] g = Values(Named(model)[gain]);

        // A gain that is passing through zero counts as a part of all others' size: nothing is multiplied by what it happens to be.
        const int small = 2;
        g[small] = -0.002;
        double least = 0.3 * Math.Sqrt(g.Average(value => value * value));
        foreach (var policy in (SecondMomentPolicy[])[SecondMomentPolicy.Keep, SecondMomentPolicy.Mix])
        {
            using var copy = Create("mistral");
            using (no_grad()) Named(copy)[gain][small].fill_(g[small].ToScalar());
            var kept = new KeptTensors(Named(copy).ToDictionary(entry => entry.Key, entry => entry.Value.detach().clone().Squared()), -2);
            double[] v = Values(kept[reader]), own = Values(kept[gain]);
            var space = RotationScheduler.PlanFor(copy).Spaces[0];
            double[,] r = OrthogonalMatrix.Random(space.Size, 5);
            new LiveModel(Named(copy).Select(entry => (entry.Key, (Tensor)entry.Value)), [kept])
                .Rotate(space, r, GainPolicy.Follow, policy);
            double[] changed = Values(Named(copy)[gain]), after = Values(kept[reader]);
            for (int j = 0; j < space.Size; j++)
            {
                double square = Enumerable.Range(0, space.Size).Sum(i => r[i, j] * r[i, j] * g[i] * g[i]);
                (changed[j] * changed[j]).ShouldBe(square, 1e-12);
                double expected = policy == SecondMomentPolicy.Keep
                    ? v[j] * square / Counted(j)
                    : Enumerable.Range(0, space.Size).Sum(i => v[i] * r[i, j] * r[i, j] * square / Counted(i));
                after[j].ShouldBe(expected, 1e-12 * expected);
            }

            Values(kept[gain]).ShouldBe(own);
        }

        double Counted(int channel) => Math.Max(g[channel] * g[channel], least * least);
    }

    [Fact]
    public void Rotate_FoldedGains_StartTheirStateAtZero()
    {
        using var model = Create("mistral");
        var kept = new KeptTensors(Named(model).ToDictionary(entry => entry.Key, entry => entry.Value.detach().clone()), -1);
        using var scheduler = Scheduler(model, new RotationOptions { Source = RotationSource.Identity, Gains = GainPolicy.Fold }, kept);
        scheduler.Apply(1);
        Values(kept["model.norm.weight"]).ShouldAllBe(value => value == 0);
        Values(kept["model.embed_tokens.weight"]).ShouldBe(Values(Named(model)["model.embed_tokens.weight"]));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Rotate_AverageWithGainsOfItsOwn_KeepsItsFunction(string family, GainPolicy gains)
    {
        using var model = Create(family);
        using var average = new WeightAverage(Named(model).Select(entry => (entry.Key, entry.Value)), 0.5);
        using (no_grad())
        {
            foreach (var (name, parameter) in Named(model))
            {
                if (parameter.dim() == 1 && Frozen(model).Contains(name)) continue;
                parameter.Plus_(randn_like(parameter), 0.05);
            }
        }

        average.Update();
        double[] Averaged()
        {
            using var swap = average.SwapIn();
            return Logits(model);
        }

        double[] before = Averaged();
        using var scheduler = Scheduler(
            model, new RotationOptions { Source = RotationSource.Random, Values = true, Gains = gains }, average);
        scheduler.Apply(1, () => Loss(model));
        Largest(before, Averaged()).ShouldBeLessThan(1e-12 * before.Max(Math.Abs));
    }

    [Fact]
    public void Rotate_SixteenBits_TurnsTheMasterAndRoundsIt()
    {
        using var model = TinyFamilies.Create("mistral", dtype: ScalarType.BFloat16);
        using var optimizer = new AdamW(Named(model).Select(entry => (entry.Key, entry.Value)));
        Gradients(model);
        optimizer.Step(1e-3);
        var space = RotationScheduler.PlanFor(model).Spaces[0];
        const string name = "model.embed_tokens.weight";
        double[,] r = OrthogonalMatrix.Random(space.Size, 5);
        double[] expected = Values(Master().to(ScalarType.Float64).matmul(tensor(r)).to(ScalarType.Float32).to(ScalarType.Float64));
        new LiveModel(Named(model).Select(entry => (entry.Key, (Tensor)entry.Value)), [optimizer])
            .Rotate(space, r, GainPolicy.Follow, SecondMomentPolicy.Keep);
        Values(Master().to(ScalarType.Float64)).ShouldBe(expected);
        Values(Named(model)[name].to(ScalarType.Float64))
            .ShouldBe(Values(Master().to(ScalarType.BFloat16).to(ScalarType.Float64)));

        Tensor Master() => optimizer.StateOf(name).Single(state => state.Name == "master").Tensor;
    }

    /// <summary>The covariance by hand, of the rotated model: it is diagonal, and that of the other extent is not.</summary>
    [Theory]
    [InlineData(RotationSource.Weights, false)]
    [InlineData(RotationSource.Weights, true)]
    [InlineData(RotationSource.Momentum, false)]
    [InlineData(RotationSource.Momentum, true)]
    [InlineData(RotationSource.Gradient, false)]
    public void Apply_EachSource_MakesItsCovarianceDiagonal(RotationSource source, bool inner)
    {
        using var scope = NewDisposeScope();
        using var model = Create("mistral");
        var named = Named(model);
        if (source != RotationSource.Weights)
        {
            // With gains of one the gradients of readers turn as they do.
            using var ungraded = no_grad();
            foreach (var (name, parameter) in named.Where(entry => entry.Key.EndsWith("norm.weight", StringComparison.Ordinal)))
                parameter.fill_(1.ToScalar());
        }

        Gradients(model);
        var kept = new KeptTensors(named.ToDictionary(entry => entry.Key, entry => entry.Value.grad!.clone()), -1);
        var options = new RotationOptions { Source = source, InnerOnly = inner, Search = BasisSearch.Eigenvectors };
        using var scheduler = Scheduler(model, options, kept);
        scheduler.Observe(0);
        var (before, after) = scheduler.Apply(1).Spaces.Single().Diagonal!.Value;
        before.ShouldBeLessThan(0.95);
        after.ShouldBe(1, 1e-6);
        Gradients(model);
        double own = Share(inner);
        own.ShouldBe(1, 1e-6);
        Share(!inner).ShouldBeLessThan(0.999);

        double Share(bool without)
        {
            var sum = zeros([16, 16], ScalarType.Float64);
            foreach (var (name, parameter) in named.Where(entry => entry.Value.dim() == 2))
            {
                bool outer = name.Contains("embed", StringComparison.Ordinal) || name.StartsWith("lm_head", StringComparison.Ordinal);
                if (outer && without) continue;
                var matrix = source == RotationSource.Weights ? parameter.detach() : parameter.grad!;
                string? norm = name switch
                {
                    "lm_head.weight" => "model.norm.weight",
                    "model.embed_tokens.weight" => null,
                    _ when name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down", StringComparison.Ordinal) => null,
                    _ when name.Contains("mlp", StringComparison.Ordinal) => $"{name[..14]}.post_attention_layernorm.weight",
                    _ => $"{name[..14]}.input_layernorm.weight",
                };
                if (norm is not null && source == RotationSource.Weights) matrix = matrix * named[norm].detach();
                bool writes = name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down", StringComparison.Ordinal);
                var gram = writes ? matrix.matmul(matrix.t()) : matrix.t().matmul(matrix);
                sum.Plus_(gram / gram.trace());
            }

            return (sum.diagonal().Squared().sum() / sum.Squared().sum()).AsDouble();
        }
    }

    [Fact]
    public void Apply_GainNearZero_LeavesTheSpaceForThisTime()
    {
        using var model = Create("mistral");
        using (no_grad()) Named(model)["model.norm.weight"].narrow(0, 3, 1).zero_();
        double[] before = Logits(model);
        using var scheduler = Scheduler(model, new RotationOptions { Source = RotationSource.Random });
        scheduler.Apply(1).Spaces.Single().Skipped!.ShouldStartWith("gain 'model.norm.weight' is 0.0e+00 at channel 3");
        Logits(model).ShouldBe(before);
        scheduler.TotalOf(scheduler.Spaces[0]).ShouldBe(OrthogonalMatrix.Identity(16));
    }

    [Fact]
    public void Apply_NothingToGoBy_IsAnError()
    {
        using var model = Create("mistral");
        using var byMomenta = Scheduler(model, new RotationOptions { Source = RotationSource.Momentum });
        Should.Throw<WiscaException>(() => byMomenta.Apply(1)).Message.ShouldContain("it keeps none");
        using var byGradients = Scheduler(model, new RotationOptions());
        Should.Throw<WiscaException>(() => byGradients.Apply(1)).Message.ShouldContain("none was taken up");
    }

    /// <summary>A thousand rotations in the midst of a training in single precision.</summary>
    [Fact]
    public void Apply_AThousandTimesInSinglePrecision_StaysOrthogonalAndKeepsTheLoss()
    {
        using var training = new TinyTraining(ScalarType.Float32);
        using var optimizer = new AdamW(training.Parameters.Select(entry => (entry.Name, entry.Parameter)));
        long[] probe = training.NextBatch();
        using var scheduler = new RotationScheduler(
            training.Parameters, RotationScheduler.PlanFor(training.Model),
            new RotationOptions { Source = RotationSource.Momentum, Search = BasisSearch.Eigenvectors, Values = true },
            optimizer);
        double worst = 0;
        for (int step = 0; step < 1000; step++)
        {
            training.Backward(training.NextBatch());
            scheduler.Observe(step);
            optimizer.Step(1e-3);
            var (before, after) = scheduler.Apply(step + 1, () => training.Evaluate(probe)).Loss!.Value;
            worst = Math.Max(worst, Math.Abs(after - before) / before);
        }

        scheduler.Rotations.ShouldBe(1000);
        worst.ShouldBeLessThan(3e-6);
        foreach (var space in scheduler.Spaces) OrthogonalMatrix.Fault(scheduler.TotalOf(space)).ShouldBeLessThan(1e-11);
    }

    [Fact]
    public void Save_Load_GoesOnToTheBit()
    {
        using var folder = new TemporaryFolder();
        var options = new RotationOptions { Source = RotationSource.Gradient, Values = true };
        using var model = Create("mistral");
        using var scheduler = Scheduler(model, options);
        for (int step = 0; step < 3; step++)
        {
            Gradients(model);
            scheduler.Observe(step);
            scheduler.Apply(step + 1);
        }

        scheduler.Save(folder["r.safetensors"]);
        using var other = Scheduler(model, options);
        other.Load(folder["r.safetensors"]);
        other.Save(folder["s.safetensors"]);
        File.ReadAllBytes(folder["s.safetensors"]).ShouldBe(File.ReadAllBytes(folder["r.safetensors"]));
        other.Rotations.ShouldBe(3);
        foreach (var space in scheduler.Spaces) other.TotalOf(space).ShouldBe(scheduler.TotalOf(space));

        using var larger = Create("gpt2");
        using var stranger = Scheduler(larger, options);
        Should
            .Throw<WiscaException>(() => stranger.Load(folder["r.safetensors"]))
            .Message.ShouldContain("the rotations are not those of this run: no layers.0.vo.2/rotation [4, 4] F64");
    }

    /// <summary>A tiny model whose tied head, if it has one, reads behind a gain that is the same for all channels.</summary>
    private static Decoder Create(string family)
    {
        var model = TinyFamilies.Create(family);
        using var ungraded = no_grad();
        foreach (string name in Frozen(model)) Named(model)[name].fill_((model.Config.Norm.UnitOffset ? 0.3 : 1.3).ToScalar());
        return model;
    }

    private static string[] Frozen(Decoder model) =>
        model.Config.TiedHead ? [$"{model.Config.Names.Root}.{model.Config.Names.FinalNorm}.weight"] : [];

    private static RotationScheduler Scheduler(Decoder model, RotationOptions options, params IParameterState[] states) =>
        new(Named(model).Select(entry => (entry.Key, entry.Value)), RotationScheduler.PlanFor(model), options, states);

    private static Dictionary<string, Parameter> Named(Decoder model) =>
        model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);

    private static Tensor Ids() => tensor([.. TinyFamilies.Tokens(24).Select(id => (long)id)], [2, 12]);

    private static double[] Logits(Decoder model)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        return Values(model.forward(Ids()));
    }

    private static double Loss(Decoder model)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        return nn.functional.cross_entropy(model.forward(Ids()).flatten(0, 1), Ids().flatten().roll(1)).AsDouble();
    }

    private static void Gradients(Decoder model)
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in model.parameters()) parameter.grad = null;
        nn.functional.cross_entropy(model.forward(Ids()).flatten(0, 1), Ids().flatten().roll(1)).backward();
        foreach (var parameter in model.parameters().Where(parameter => parameter.grad is null)) parameter.grad = zeros_like(parameter);
    }

    private static double[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().contiguous().data<double>().ToArray();
    }

    private static double Largest(double[] left, double[] right) => left.Zip(right, (a, b) => Math.Abs(a - b)).Max();

    private static double[,] Transposed(double[,] matrix)
    {
        int size = matrix.GetLength(0);
        double[,] transposed = new double[size, size];
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++) transposed[j, i] = matrix[i, j];
        }

        return transposed;
    }

    /// <summary>A tensor for each parameter, of one degree.</summary>
    private sealed class KeptTensors(Dictionary<string, Tensor> tensors, int degree) : IParameterState
    {
        public Tensor this[string name] => tensors[name];

        public IReadOnlyList<StateTensor> StateOf(string parameter) => [new StateTensor("kept", tensors[parameter], degree)];
    }
}
