using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

/// <summary>What holds for every family: gradients, second derivatives, what a transition conserves, saving, generating.</summary>
[Collection(TorchCollection.Name)]
public sealed class FamilyTests
{
    private static readonly int[] Tokens = TinyFamilies.Tokens(14);

    [Theory]
    [InlineData("qwen3")]
    [InlineData("gemma3_text")]
    [InlineData("qwen2_moe")]
    [InlineData("mixtral")]
    public void Forward_RandomModel_AgreesWithPlainLoops(string modelType)
    {
        using var folder = new TemporaryFolder();
        using var decoder = TinyFamilies.Create(modelType);
        decoder.Save(folder["model"], new SaveOptions { Dtype = Dtype.F64 });
        using var checkpoint = Checkpoint.Open(folder["model"]);
        var plain = new PlainDecoder(checkpoint);
        double[][] expected = plain.Logits(Tokens);
        using Decoder single = Decoder.Load(checkpoint), wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            single.AttentionPath = wide.AttentionPath = path;
            Reference.RelativeDifference(Reference.Logits(single, Tokens), expected)
                .ShouldBeLessThan(PassRounding.OfLogits(single.Config, Tokens.Length));
            Reference.RelativeDifference(Reference.Logits(wide, Tokens), expected).ShouldBeLessThan(1e-12);
        }

        if (decoder.Config.Layers.All(layer => layer.Mixture is null)) return;
        plain.Logits(Tokens[..^1]);
        using var scope = NewDisposeScope();
        Loss(decoder).Auxiliary!.AsDouble().ShouldBe(0.3 * plain.Balance(), 1e-12);
    }

    [Theory]
    [InlineData("tiny_qwen3")]
    [InlineData("tiny_gemma3")]
    public void Forward_BFloat16Checkpoint_AgreesWithPlainLoops(string name)
    {
        using var checkpoint = Checkpoint.Open(TestData.Require("fixtures", "mlxd-bf16", name));
        int[] tokens = [.. Enumerable.Range(0, 40).Select(i => i * 37 % 256)];
        double[][] expected = new PlainDecoder(checkpoint).Logits(tokens);
        using Decoder single = Decoder.Load(checkpoint), wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        Reference.RelativeDifference(Reference.Logits(single, tokens), expected)
            .ShouldBeLessThan(PassRounding.OfLogits(single.Config, tokens.Length));

        // The embedding's factor is rounded to the model's type, which costs nothing here: sqrt(64) is 8.
        Reference.RelativeDifference(Reference.Logits(wide, tokens), expected).ShouldBeLessThan(1e-12);
    }

    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Gradient_EveryParameter_IsTheDifferenceQuotient(string modelType)
    {
        const double step = 1e-6;
        using var decoder = TinyFamilies.Create(modelType);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            decoder.AttentionPath = path;
            Differentiate(decoder);
            foreach (var (name, parameter) in decoder.named_parameters())
            {
                using var scope = NewDisposeScope();
                using var ungraded = no_grad();
                var direction = Direction(parameter);
                double expected = (Moved(parameter, direction, step) - Moved(parameter, direction, -step)) / (2 * step);
                (parameter.grad! * direction)
                    .sum()
                    .AsDouble()
                    .ShouldBe(expected, 1e-7 * Math.Max(1, Math.Abs(expected)), $"{modelType} {path} {name}");
            }
        }

        double Moved(Tensor parameter, Tensor direction, double by)
        {
            parameter.add_(direction * by);
            double loss = Loss(decoder).Total.AsDouble();
            parameter.sub_(direction * by);
            return loss;
        }
    }

    /// <summary>The product of Hessian and vector, twice through autograd, against a difference quotient of gradients.</summary>
    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void SecondDerivative_EagerAttention_IsTheDifferenceQuotientOfGradients(string modelType)
    {
        const double step = 1e-5;
        using var decoder = TinyFamilies.Create(modelType);
        decoder.AttentionPath = AttentionPath.Eager;
        using var scope = NewDisposeScope();
        Tensor[] parameters = [.. decoder.parameters()], directions = [.. parameters.Select(Direction)];
        var gradients = autograd.grad([Loss(decoder).Total], parameters, retain_graph: true, create_graph: true);
        var slope = gradients.Zip(directions, (gradient, direction) => (gradient * direction).sum()).Aggregate((a, b) => a + b);
        double curvature = autograd
            .grad([slope], parameters, retain_graph: true)
            .Zip(directions, (second, direction) => (second * direction).sum().AsDouble())
            .Sum();
        double expected = (Slope(step) - Slope(-step)) / (2 * step);
        curvature.ShouldBe(expected, 1e-6 * Math.Max(1, Math.Abs(expected)));

        double Slope(double by)
        {
            Move(by);
            double result = autograd
                .grad([Loss(decoder).Total], parameters)
                .Zip(directions, (gradient, direction) => (gradient * direction).sum().AsDouble())
                .Sum();
            Move(-by);
            return result;
        }

        void Move(double by)
        {
            using var ungraded = no_grad();
            foreach (var (parameter, direction) in parameters.Zip(directions)) parameter.add_(direction * by);
        }
    }

    /// <summary>
    /// The loss does not change along W1 -> s W1, W2 -> W2 / s, so its derivative there is zero: the two sides' products of weights and
    /// gradients are equal, in every group of channels that a transition may scale.
    /// </summary>
    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Gradient_ScaledPairs_HaveEqualProductsWithTheirWeights(string modelType)
    {
        // What has no table has no transitions.
        if (!KnownArchitectures.All.Any(table => table.ModelTypes.Contains(modelType))) return;
        using var folder = new TemporaryFolder();
        using var decoder = TinyFamilies.Create(modelType);
        decoder.Save(folder["model"], new SaveOptions { Dtype = Dtype.F64 });
        using var checkpoint = Checkpoint.Open(folder["model"]);
        var layout = ModelLayout.Resolve(checkpoint);
        Differentiate(decoder);
        var parameters = decoder.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        int pairs = 0;
        foreach (var layer in layout.Layers)
        {
            foreach (var kind in (TransitionKind[])[.. AttentionGeometry.Kinds])
            {
                foreach (var granularity in Enum.GetValues<Granularity>())
                {
                    if (Exchange.TryCompile(layout.Geometry, layer, kind, granularity, out _) is not { } exchange) continue;
                    Check(exchange);
                    pairs++;
                }
            }
        }

        pairs.ShouldBeGreaterThanOrEqualTo(3 * layout.Layers.Length);

        // MLPs, norms, gains of queries and keys: behind a squared activation the products are as one to two.
        foreach (var granularity in (Granularity[])[Granularity.Tensor, Granularity.Channel])
        {
            var options = new TransitionOptions
            {
                QueryKey = null, ValueOutput = Granularity.Tensor, Mlp = granularity, Norms = granularity,
            };
            foreach (var exchange in TransitionPlan.Create(layout, options).Exchanges) Check(exchange);
        }

        void Check(Exchange exchange)
        {
            double[] multiplied = Products(exchange, +1), divided = Products(exchange, -1);
            for (int group = 0; group < multiplied.Length; group++)
                multiplied[group]
                    .ShouldBe(
                        exchange.Degree * divided[group], 1e-10 * Math.Max(1e-3, multiplied.Max(Math.Abs)),
                        $"{modelType} {exchange.Layer} {exchange.Kind} {exchange.Space} {exchange.Granularity} {group}");

            // An expert that no token chooses has no gradient.
            if (exchange.Kind != TransitionKind.UpDown) multiplied.Max(Math.Abs).ShouldBeGreaterThan(1e-6);
        }

        double[] Products(Exchange exchange, int exponent)
        {
            double[] sums = new double[exchange.Groups.Length];
            foreach (var slice in exchange.Slices.Where(slice => Math.Sign(slice.Exponent) == exponent))
            {
                using var scope = NewDisposeScope();
                using var ungraded = no_grad();
                var parameter = parameters[slice.Tensor];
                var product = (slice.AddsOne ? parameter + 1.0 : parameter) * parameter.grad!;
                double[] along =
                    (product.dim() == 1 || slice.Parts > 1 ? product.flatten() : product.sum([1 - slice.Axis])).data<double>().ToArray();
                foreach (var run in slice.Runs)
                {
                    for (int i = 0; i < run.Count; i++) sums[exchange.GroupOfChannel[run.Channel + i]] += along[run.Start + i];
                }
            }

            return sums;
        }
    }

    /// <summary>Bfloat16 has eight bits: a few hundredths of the largest logit, where routers choose the same experts.</summary>
    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Forward_ComputedInBFloat16_IsNear(string modelType)
    {
        using var decoder = TinyFamilies.Create(modelType, dtype: ScalarType.Float32);
        double[][] expected = Reference.Logits(decoder, Tokens);
        decoder.ComputeType = ScalarType.BFloat16;
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            decoder.AttentionPath = path;
            double[] differences = [.. Reference.Logits(decoder, Tokens).Zip(expected, (found, row) =>
                Reference.RelativeDifference([found], [row]))];
            differences.Order().ElementAt(differences.Length / 2).ShouldBeInRange(1e-5, 0.1);
            Differentiate(decoder);
            foreach (var (name, parameter) in decoder.named_parameters())
            {
                parameter.grad!.dtype.ShouldBe(ScalarType.Float32, name);
                parameter.grad.isfinite().all().AsBoolean().ShouldBeTrue(name);
            }
        }
    }

    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Save_ThenLoad_IsTheSameModel(string modelType)
    {
        using var folder = new TemporaryFolder();
        using var decoder = TinyFamilies.Create(modelType, dtype: ScalarType.Float32);
        decoder.Save(folder["model"]);
        using var checkpoint = Checkpoint.Open(folder["model"]);
        using var loaded = Decoder.Load(checkpoint);
        Reference.Logits(loaded, Tokens).ShouldBe(Reference.Logits(decoder, Tokens));
        checkpoint.Config.Find("architectures")!.Value[0].GetString().ShouldEndWith(modelType == "gpt2" ? "LMHeadModel" : "ForCausalLM");
    }

    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Next_InPieces_AgreesWithTheWholeForwardPass(string modelType)
    {
        using var decoder = TinyFamilies.Create(modelType);
        double[][] expected = Reference.Logits(decoder, Tokens);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            decoder.AttentionPath = path;
            using var cache = new KeyValueCache(decoder, Tokens.Length);
            int at = 0;
            foreach (int count in (int[])[5, 1, 1, 4, 1, 2])
            {
                using var scope = NewDisposeScope();
                var next = decoder.Next(tensor(Array.ConvertAll(Tokens[at..(at + count)], token => (long)token)).unsqueeze(0), cache);
                at += count;
                Reference.RelativeDifference([next.data<double>().ToArray()], [expected[at - 1]]).ShouldBeLessThan(1e-12);
            }
        }
    }

    /// <summary>A fixed direction of length about one.</summary>
    private static Tensor Direction(Tensor parameter)
    {
        double[] numbers = [.. Enumerable.Range(0, (int)parameter.numel()).Select(i => Math.Sin((i * 1.7) + 0.3))];
        return tensor(numbers, parameter.shape) / Math.Sqrt(numbers.Length);
    }

    private static DecoderLoss Loss(Decoder decoder)
    {
        var (ids, targets) = DecoderTrainingTests.Batch(Tokens, 1);
        return decoder.Loss(ids, targets);
    }

    private static void Differentiate(Decoder decoder)
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in decoder.parameters()) parameter.grad?.zero_();
        Loss(decoder).Total.backward();
    }
}
