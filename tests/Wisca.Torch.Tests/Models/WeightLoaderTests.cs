using System.Text.Json;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Tensor = (string Name, long[] Shape, float[] Values);

namespace Wisca.Torch.Tests.Models;

[Collection(TorchCollection.Name)]
public sealed class WeightLoaderTests
{
    private static readonly int[] Tokens = TorchTinyModels.Tokens(12);

    [Theory]
    [InlineData(Dtype.F32, 1)]
    [InlineData(Dtype.F16, 1)]
    [InlineData(Dtype.BF16, 2)]
    public void Load_AnyType_HoldsTheStoredValues(Dtype dtype, int shards)
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder.FullPath, dtype: dtype, shards: shards);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        foreach (var precision in Enum.GetValues<ComputePrecision>())
        {
            using var decoder = Decoder.Load(checkpoint, precision);
            foreach (var (name, parameter) in decoder.named_parameters())
            {
                using var scope = TorchSharp.torch.NewDisposeScope();
                float[] values = parameter.to(TorchSharp.torch.ScalarType.Float32).detach().contiguous().data<float>().ToArray();
                values.ShouldBe(ModelCopy.Values(checkpoint.Find(name)!), name);
            }
        }
    }

    /// <summary>More elements than are converted at a time, and not a multiple of that number.</summary>
    [Fact]
    public void Load_LargeTensor_HoldsTheStoredValues()
    {
        using var folder = new TemporaryFolder();
        const int vocabulary = 70_001;
        float[] embedding = new float[vocabulary * TorchTinyModels.Hidden];
        for (int i = 0; i < embedding.Length; i++) embedding[i] = i % 251;
        var tensors = TorchTinyModels
            .Tensors(1, head: false)
            .Skip(1)
            .Prepend(("model.embed_tokens.weight", [vocabulary, TorchTinyModels.Hidden], embedding));
        string config = TorchTinyModels
            .Config(tied: true)
            .Replace($"\"vocab_size\": {TorchTinyModels.Vocabulary}", $"\"vocab_size\": {vocabulary}", StringComparison.Ordinal);
        ModelCopy.Write(folder.FullPath, config, tensors, Dtype.BF16);
        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using var decoder = Decoder.Load(checkpoint);
        decoder.get_parameter("model.embed_tokens.weight")!.data<float>().ToArray().ShouldBe(embedding);
    }

    [Fact]
    public void Load_WithoutRoot_IsTheSameModel()
    {
        using var folder = new TemporaryFolder();
        using var whole = Write(folder["whole"], tied: false, tensors => tensors);
        using var bare = Write(
            folder["bare"],
            tied: false,
            tensors => tensors.Select(tensor => tensor with { Name = tensor.Name.Replace("model.", "", StringComparison.Ordinal) }));
        AssertSame(whole, bare);
    }

    [Theory]
    [InlineData("model.", "language_model.model.", "language_model.")]
    [InlineData("model.", "model.language_model.", "")]
    [InlineData("model.", "_orig_mod.model.", "_orig_mod.")]
    [InlineData("model.", "module.model.", "module.")]
    public void Load_WithSomethingInFront_IsTheSameModel(string root, string name, string head)
    {
        using var folder = new TemporaryFolder();
        using var whole = Write(folder["whole"], tied: false, tensors => tensors);
        using var prefixed = Write(
            folder["prefixed"],
            tied: false,
            tensors => tensors
                .Select(tensor => tensor with
                {
                    Name = tensor.Name.StartsWith(root, StringComparison.Ordinal) ? name + tensor.Name[root.Length..] : head + tensor.Name,
                })
                .Append(("anything._extra_state", [0], [])));
        AssertSame(whole, prefixed);
    }

    [Fact]
    public void Load_TiedWithOutputProjectionOnly_IsTheSameModel()
    {
        using var folder = new TemporaryFolder();
        using var embedding = Write(folder["embedding"], tied: true, WithoutHead);
        using var head = Write(folder["head"], tied: true, tensors => RenameEmbedding(WithoutHead(tensors)));
        using var both = Write(folder["both"], tied: true, tensors => WithoutHead(tensors).Concat(RenameEmbedding(tensors.Take(1))));
        AssertSame(embedding, head);
        AssertSame(embedding, both);
    }

    /// <summary>The safetensors library's save_model keeps one of two shared tensors and notes the other's name in the metadata.</summary>
    [Fact]
    public void Load_SharedThroughMetadata_IsTheSameModel()
    {
        using var folder = new TemporaryFolder();
        using var both = Write(folder["both"], tied: false, tensors => WithoutHead(tensors).Concat(RenameEmbedding(tensors.Take(1))));
        var metadata = new Dictionary<string, string> { ["model.embed_tokens.weight"] = "lm_head.weight" };
        using var noted = Write(folder["noted"], tied: false, tensors => RenameEmbedding(WithoutHead(tensors)), metadata);
        AssertSame(both, noted);
    }

    [Fact]
    public void Load_TiedButDifferent_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Write(folder.FullPath, tied: true, tensors => tensors);
        string message = Should.Throw<WiscaException>(() => Decoder.Load(checkpoint)).Message;
        message.ShouldEndWith(": lm_head.weight is not model.embed_tokens.weight, although tie_word_embeddings is true");
    }

    [Fact]
    public void Load_WrongTensors_ListsEveryDifference()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Write(folder.FullPath, tied: false, tensors => tensors
            .Where(tensor => tensor.Name is not ("lm_head.weight" or "model.layers.1.mlp.up_proj.weight"))
            .Select(tensor => tensor.Name == "model.norm.weight" ? tensor with { Shape = [2, 16] } : tensor)
            .Append(("model.layers.0.self_attn.q_proj.bias", [32], new float[32])));
        var exception = Should.Throw<WiscaException>(() => Decoder.Load(checkpoint));
        exception.Message.ShouldBe(
            $"{folder.FullPath}: the tensors are not those of llama as config.json describes it: "
            + "no model.layers.1.mlp.up_proj.weight [48, 32]; "
                + "model.norm.weight is [2, 16], expected [32]; no lm_head.weight [50, 32]; model.layers.0.self_attn.q_proj.bias [32] is "
                + "not part of the model");
        exception.Hint.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void Load_NothingFits_CapsTheList()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Write(
            folder.FullPath,
            tied: false,
            tensors => tensors.Select(tensor => tensor with { Name = "x." + tensor.Name }));
        string message = Should.Throw<WiscaException>(() => Decoder.Load(checkpoint)).Message;
        message.ShouldEndWith("; and 34 more");
        message.Length.ShouldBeLessThan(1000);
    }

    [Fact]
    public void Load_NativeOfTwoTypes_IsRefused()
    {
        using var folder = new TemporaryFolder();
        ModelCopy.Write(folder.FullPath, TorchTinyModels.Config(), TorchTinyModels.Tensors(1).SkipLast(1), Dtype.BF16);
        File.Move(folder[Checkpoint.WeightsName], folder["model-00001-of-00002.safetensors"]);
        ModelCopy.Write(folder["head"], TorchTinyModels.Config(), TorchTinyModels.Tensors(1).TakeLast(1), Dtype.F32);
        File.Move(folder["head", Checkpoint.WeightsName], folder["model-00002-of-00002.safetensors"]);
        var map = TorchTinyModels
            .Tensors(1)
            .ToDictionary(tensor => tensor.Name, tensor => $"model-0000{(tensor.Name == "lm_head.weight" ? 2 : 1)}-of-00002.safetensors");
        File.WriteAllText(folder[Checkpoint.IndexName], JsonSerializer.Serialize(new { weight_map = map }));

        using var checkpoint = Checkpoint.Open(folder.FullPath);
        Should
            .Throw<WiscaException>(() => Decoder.Load(checkpoint, ComputePrecision.Native))
            .Message.ShouldContain("the weights are stored as BF16 and F32");
        using var single = Decoder.Load(checkpoint);
        Reference.Logits(single, Tokens).Length.ShouldBe(Tokens.Length);
    }

    [Fact]
    public void Load_PackedWeights_IsRefused()
    {
        using var checkpoint = Checkpoint.Open(TestData.Require("fixtures", "mlxd-bf16", "tiny_llama3_tied"));
        Should.Throw<WiscaException>(() => Decoder.Load(checkpoint)).Message.ShouldBe("config.json: quantization is set");

        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(
            folder[Checkpoint.WeightsName],
            TestData.Require("fixtures", "mlxd-bf16", "tiny_llama3_tied", Checkpoint.WeightsName));
        string config = File.ReadAllText(TestData.Require("fixtures", "mlxd-bf16", "tiny_llama3_tied", "config.json"));
        File.WriteAllText(folder["config.json"], config.Replace("quantization", "forgotten", StringComparison.Ordinal));
        using var undeclared = Checkpoint.Open(folder.FullPath);
        Should
            .Throw<WiscaException>(() => Decoder.Load(undeclared))
            .Message.ShouldContain("model.embed_tokens.weight is stored as U32, expected F16, BF16, F32 or F64");
    }

    private static IEnumerable<Tensor> RenameEmbedding(IEnumerable<Tensor> tensors) =>
        tensors.Select(tensor => tensor.Name == "model.embed_tokens.weight" ? tensor with { Name = "lm_head.weight" } : tensor);

    private static IEnumerable<Tensor> WithoutHead(IEnumerable<Tensor> tensors) => tensors.Where(tensor => tensor.Name != "lm_head.weight");

    private static Checkpoint Write(
        string folder,
        bool tied,
        Func<IEnumerable<Tensor>, IEnumerable<Tensor>> edit,
        Dictionary<string, string>? metadata = null)
    {
        ModelCopy.Write(folder, TorchTinyModels.Config(tied: tied), edit(TorchTinyModels.Tensors(1)), metadata: metadata);
        return Checkpoint.Open(folder);
    }

    private static void AssertSame(Checkpoint a, Checkpoint b)
    {
        using Decoder left = Decoder.Load(a), right = Decoder.Load(b);
        Reference.Logits(left, Tokens).ShouldBe(Reference.Logits(right, Tokens));
    }
}
