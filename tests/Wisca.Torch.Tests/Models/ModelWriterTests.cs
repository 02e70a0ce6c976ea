using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

[Collection(TorchCollection.Name)]
public sealed class ModelWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Dtype.F32, 5_000_000_000)]
    [InlineData(Dtype.F32, 20_000)]
    [InlineData(Dtype.BF16, 5_000_000_000)]
    public void Save_Llama_IsReadBack(Dtype dtype, long shardBytes)
    {
        using var decoder = DecoderTrainingTests.Make("llama", "");
        decoder.Save(_folder["model"], new SaveOptions { Dtype = dtype, ShardBytes = shardBytes });
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        checkpoint.IsSharded.ShouldBe(shardBytes < 1_000_000);
        checkpoint.Tensors.ShouldAllBe(tensor => tensor.Info.Dtype == dtype);
        checkpoint.Config.Find("architectures")!.Value[0].GetString().ShouldBe("LlamaForCausalLM");
        checkpoint.Config.FindString("torch_dtype").ShouldBe(dtype == Dtype.F32 ? "float32" : "bfloat16");
        checkpoint.Config.FindInt("num_key_value_heads").ShouldBe(TorchTinyModels.KvHeads);
        using var loaded = Decoder.Load(checkpoint);
        foreach (var ((name, a), (_, b)) in decoder.named_parameters().Zip(loaded.named_parameters()))
        {
            using var scope = NewDisposeScope();
            (dtype == Dtype.F32 ? a : a.to(ScalarType.BFloat16).to(ScalarType.Float32)).eq(b).all().item<bool>().ShouldBeTrue(name);
        }
    }

    /// <summary>What other tools read is read here by code of the tests.</summary>
    [Fact]
    public void Save_TiedModel_StoresTheEmbeddingOnce()
    {
        using var decoder = Decoder.Create(DecoderConfig.From(ModelConfig.Parse(TorchTinyModels.Config(tied: true))), 1);
        decoder.Save(_folder["model"]);
        var tensors = TestCheckpoint.Read(_folder["model"]);
        tensors.Keys.ShouldContain("model.embed_tokens.weight");
        tensors.Keys.ShouldNotContain("lm_head.weight");
        tensors.Count.ShouldBe(2 + (9 * TorchTinyModels.Layers));
        Directory.GetFileSystemEntries(_folder.FullPath).ShouldBe([_folder["model"]]);
    }

    [Fact]
    public void Save_ThenRescale_IsTheSameFunction()
    {
        using var decoder = DecoderTrainingTests.Make("llama", "");
        decoder.Save(_folder["model"]);
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        Rescaler.Rescale(checkpoint, _folder["rescaled"], new RescaleOptions());
        using var rescaled = Checkpoint.Open(_folder["rescaled"]);
        using var other = Decoder.Load(rescaled);
        int[] tokens = TorchTinyModels.Tokens(12);
        Reference.RelativeDifference(Reference.Logits(other, tokens), Reference.Logits(decoder, tokens))
            .ShouldBeLessThan(PassRounding.OfLogits(decoder.Config, tokens.Length));
    }

    [Fact]
    public void Save_PlaceTaken_IsRefusedAndStays()
    {
        using var decoder = DecoderTrainingTests.Make("llama", "");
        Directory.CreateDirectory(_folder["model"]);
        File.WriteAllText(Path.Combine(_folder["model"], "note"), "mine");
        Should.Throw<WiscaException>(() => decoder.Save(_folder["model"])).Message.ShouldStartWith($"output {_folder["model"]} exists");
        Directory.GetFiles(_folder["model"]).ShouldHaveSingleItem();
        Directory.GetFileSystemEntries(_folder.FullPath).ShouldHaveSingleItem();
    }

    [Fact]
    public void Save_UnsuitableType_IsRefused()
    {
        using var decoder = DecoderTrainingTests.Make("llama", "");
        Should
            .Throw<WiscaException>(() => decoder.Save(_folder["model"], new SaveOptions { Dtype = Dtype.I8 }))
            .Message.ShouldBe("a model cannot be saved as I8");
    }
}
