using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

[Collection(TorchCollection.Name)]
public sealed class DecoderTests
{
    private static readonly int[] Tokens = TorchTinyModels.Tokens(23);

    [Theory]
    [InlineData("llama", false, false, "")]
    [InlineData("llama", true, false, "")]
    [InlineData("mistral", false, false, """, "sliding_window": 5""")]
    [InlineData("qwen2", false, true, "")]
    [InlineData("llama", false, false, """, "rope_parameters": {"rope_theta": 300.0, "rope_type": "linear", "factor": 3.0}""")]
    public void Forward_RandomModel_AgreesWithPlainLoops(string modelType, bool tied, bool bias, string further)
    {
        using var folder = new TemporaryFolder();
        ModelCopy.Write(folder.FullPath, TorchTinyModels.Config(modelType, tied, further), TorchTinyModels.Tensors(3, bias, head: !tied));
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        var plain = modelType == "mistral" ? new PlainLlama(checkpoint) { Window = 5 }
            : further.Length > 0 ? new PlainLlama(checkpoint) { Frequency = (pair, d) => Math.Pow(300, -2.0 * pair / d) / 3 }
            : new PlainLlama(checkpoint);
        double[][] expected = plain.Logits(Tokens);
        using Decoder single = Decoder.Load(checkpoint), wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            single.AttentionPath = wide.AttentionPath = path;
            Reference.RelativeDifference(Reference.Logits(single, Tokens), expected)
                .ShouldBeLessThan(PassRounding.OfLogits(single.Config, Tokens.Length));
            Reference.RelativeDifference(Reference.Logits(wide, Tokens), expected).ShouldBeLessThan(1e-13);
        }
    }

    /// <summary>A checkpoint in BF16 with Llama 3.1's frequencies, which are written here piece by piece over wavelengths.</summary>
    [Fact]
    public void Forward_Llama3Scaling_AgreesWithPlainLoops()
    {
        using var checkpoint = Checkpoint.Open(TestData.Require("fixtures", "mlxd-bf16", "tiny_llama3"));
        int[] tokens = [.. Enumerable.Range(0, 300).Select(i => i * 37 % 256)];
        double[][] expected = new PlainLlama(checkpoint) { Frequency = Scaled }.Logits(tokens);
        using var wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        Reference.RelativeDifference(Reference.Logits(wide, tokens), expected).ShouldBeLessThan(1e-13);

        static double Scaled(int pair, int d)
        {
            double frequency = Math.Pow(500000, -2.0 * pair / d), wavelength = 2 * Math.PI / frequency;
            if (wavelength < 8192 / 4.0) return frequency;
            if (wavelength > 8192) return frequency / 8;
            double smooth = ((8192 / wavelength) - 1) / 3;
            return ((1 - smooth) * frequency / 8) + (smooth * frequency);
        }
    }

    [Fact]
    public void Forward_SeveralSequences_AreIndependent()
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder.FullPath);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using var decoder = Decoder.Load(checkpoint);
        int[] other = TorchTinyModels.Tokens(Tokens.Length, seed: 9);
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var both = decoder
            .forward(tensor(Array.ConvertAll([.. Tokens, .. other], token => (long)token)).view(2, -1))
            .to(ScalarType.Float64);
        double[][] second = [.. both.select(0, 1).contiguous().data<double>().ToArray().Chunk(TorchTinyModels.Vocabulary)];
        Reference.RelativeDifference(second, Reference.Logits(decoder, other))
            .ShouldBeLessThan(PassRounding.OfLogits(decoder.Config, other.Length));
    }

    [Fact]
    public void Forward_Twice_GivesTheSameBits()
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder.FullPath);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using Decoder first = Decoder.Load(checkpoint), second = Decoder.Load(checkpoint);
        double[][] logits = Reference.Logits(first, Tokens);
        Reference.Logits(first, Tokens).ShouldBe(logits);
        Reference.Logits(second, Tokens).ShouldBe(logits);
    }

    /// <summary>What a trainer needs: a gradient for every parameter, whichever way attention is computed.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(""", "sliding_window": 5""")]
    public void Backward_FusedAndEager_GiveTheSameGradients(string further)
    {
        using var folder = new TemporaryFolder();
        ModelCopy.Write(
            folder.FullPath, TorchTinyModels.Config(further.Length > 0 ? "mistral" : "llama", further: further),
            TorchTinyModels.Tensors(4));
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using Decoder fused = Decoder.Load(checkpoint, ComputePrecision.F64), eager = Decoder.Load(checkpoint, ComputePrecision.F64);
        eager.AttentionPath = AttentionPath.Eager;
        Backward(fused);
        Backward(eager);
        foreach (var ((name, a), (_, b)) in fused.named_parameters().Zip(eager.named_parameters()))
        {
            using var scope = NewDisposeScope();
            double largest = b.grad.ShouldNotBeNull(name).abs().max().AsDouble();
            largest.ShouldBeGreaterThan(0, name);
            (a.grad! - b.grad!).abs().max().AsDouble().ShouldBeLessThan(1e-12 * largest, name);
        }

        static void Backward(Decoder decoder)
        {
            using var scope = NewDisposeScope();
            var ids = tensor(Array.ConvertAll(Tokens, token => (long)token)).unsqueeze(0);
            nn.functional.cross_entropy(decoder.forward(ids)[.., ..^1].squeeze(0), ids[0, 1..]).backward();
        }
    }

    [Fact]
    public void To_OtherType_KeepsNamesAndFunction()
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder.FullPath);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using Decoder decoder = Decoder.Load(checkpoint), wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        string[] names = [.. decoder.named_parameters().Select(parameter => parameter.name)];
        Reference.Logits(decoder, Tokens);
        decoder.to(ScalarType.Float64);
        decoder.named_parameters().Select(parameter => parameter.name).ShouldBe(names);
        decoder.state_dict().Keys.ShouldBe(names);
        Reference.Logits(decoder, Tokens).ShouldBe(Reference.Logits(wide, Tokens));
    }

    [Fact]
    public void Forward_ManyTimes_LeavesNoTensorsBehind()
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder.FullPath);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        Reference.Logits(Decoder.Load(checkpoint), Tokens);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var decoder = Decoder.Load(checkpoint))
        {
            Reference.Logits(decoder, Tokens);
            long once = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            for (int i = 0; i < 5; i++) Reference.Logits(decoder, Tokens);
            DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(once);
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);
    }

    [Fact]
    public void Load_InsideADisposeScope_OutlivesIt()
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder.FullPath);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        Decoder decoder;
        using (NewDisposeScope())
        {
            decoder = Decoder.Load(checkpoint);
            Reference.Logits(decoder, Tokens);
        }

        Reference.Logits(decoder, Tokens).Length.ShouldBe(Tokens.Length);
        decoder.Dispose();
    }

    [Fact]
    public void Constructor_MetaDevice_CountsParametersWithoutMemory()
    {
        var config = DecoderConfig.From(ModelConfig.Parse(
            """
            {
              "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
              "num_attention_heads": 32, "vocab_size": 32000
            }
            """));
        using var decoder = new Decoder(config, ScalarType.BFloat16, META);
        decoder.parameters().Sum(parameter => parameter.numel()).ShouldBe(6_738_415_616);
    }

    [Fact]
    public void Forward_LongerThanLearnedPositions_IsRefused()
    {
        var config = DecoderConfig.From(
            ModelConfig.Parse("""{"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 11, "n_positions": 4}"""));
        using var scope = NewDisposeScope();
        using var decoder = new Decoder(config);
        Should
            .Throw<WiscaException>(() => decoder.forward(zeros(1, 5, ScalarType.Int64)))
            .Message.ShouldBe("a sequence of 5 tokens, but the model has 4 positions");
    }
}
