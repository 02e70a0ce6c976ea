using Wisca.Checkpoints;
using Wisca.Tests;

namespace Wisca.Core.Tests.Checkpoints;

public sealed class CheckpointTests
{
    private static readonly SmallLlama Model = new() { Layers = 1 };

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Open_Folder_FindsEveryTensor(int shards)
    {
        using var folder = new TemporaryFolder();
        (Model with { Shards = shards }).Write(folder["m"]);
        using var checkpoint = Checkpoint.Open(folder["m"]);

        checkpoint.IsSharded.ShouldBe(shards > 1);
        checkpoint.Shards.Length.ShouldBe(shards);
        var tensors = Model.Tensors();
        checkpoint.ParameterCount.ShouldBe(tensors.Sum(tensor => tensor.Bytes.Length / 4));
        checkpoint.Tensors.Count().ShouldBe(tensors.Count);
        foreach (var tensor in tensors) checkpoint.Find(tensor.Name)!.Bytes(0, tensor.Bytes.Length).ToArray().ShouldBe(tensor.Bytes);
        checkpoint.Find("nothing").ShouldBeNull();
    }

    [Fact]
    public void Open_HubCache_FollowsItsLinks()
    {
        using var folder = new TemporaryFolder();
        (Model with { Shards = 2 }).Write(folder["plain"]);
        string snapshot = Directory.CreateDirectory(folder["models--x", "snapshots", "0123abcd"]).FullName;
        Directory.CreateDirectory(folder["models--x", "blobs"]);
        foreach (string path in Directory.EnumerateFiles(folder["plain"]))
        {
            string name = Path.GetFileName(path), blob = Guid.NewGuid().ToString("N");
            File.Move(path, folder["models--x", "blobs", blob]);
            File.CreateSymbolicLink(Path.Combine(snapshot, name), Path.Combine("..", "..", "blobs", blob));
        }

        using var checkpoint = Checkpoint.Open(snapshot);
        checkpoint.Tensors.Count().ShouldBe(Model.Tensors().Count);
        checkpoint.Config.ModelType.ShouldBe("llama");
    }

    [Fact]
    public void Open_SingleFileBesideAnIndex_TakesTheFileAsTransformersDoes()
    {
        using var folder = new TemporaryFolder();
        Model.Write(folder["m"]);
        File.WriteAllText(folder["m", TestCheckpoint.Index], "not even JSON");
        using var checkpoint = Checkpoint.Open(folder["m"]);
        checkpoint.IsSharded.ShouldBeFalse();
        SideFiles.Of(checkpoint).LeftOut.ShouldHaveSingleItem().Path.ShouldBe(TestCheckpoint.Index);
    }

    [Theory]
    [InlineData("{", "not valid JSON (line 1, byte 2)")]
    [InlineData("[]", "is not a JSON object")]
    [InlineData("{}", "has no object weight_map")]
    [InlineData("""{"weight_map":[]}""", "has no object weight_map")]
    [InlineData("""{"weight_map":{}}""", "weight_map is empty")]
    [InlineData("""{"weight_map":{"a":1}}""", "weight_map['a'] is not a string")]
    [InlineData("""{"weight_map":{"a":null}}""", "weight_map['a'] is not a string")]
    [InlineData("""{"weight_map":{"a":"s.safetensors","\u0061":"s.safetensors"}}""", "names a key twice")]
    [InlineData("""{"weight_map":{"a":"s.safetensors"},"weight_map":{}}""", "names a key twice")]
    [InlineData("""{"weight_map":{"a":"../s.safetensors"}}""", "weight_map['a'] is '../s.safetensors', expected the plain name")]
    [InlineData("""{"weight_map":{"a":"/etc/s.safetensors"}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":"b\\s.safetensors"}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":"b/s.safetensors"}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":"C:s.safetensors"}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":"s\u0000.safetensors"}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":""}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":".."}}""", "expected the plain name")]
    [InlineData("""{"weight_map":{"a":"config.json"}}""", "expected the plain name of a .safetensors file")]
    [InlineData("""{"weight_map":{"a":"missing.safetensors"}}""", "lists missing.safetensors, which is not in")]
    [InlineData(
        """{"weight_map":{"a":"s.safetensors"}}""",
        "s.safetensors holds tensor 'b', which model.safetensors.index.json does not list")]
    [InlineData(
        """{"weight_map":{"a":"s.safetensors","b":"t.safetensors"}}""",
        "tensor 'b' is in s.safetensors, but model.safetensors.index.json says t.safetensors")]
    [InlineData(
        """{"weight_map":{"a":"s.safetensors","b":"s.safetensors","z":"s.safetensors"}}""",
        "says that tensor 'z' is in s.safetensors, but it is not there")]
    [InlineData("""{"weight_map":{"\ud800":"s.safetensors"}}""", "not valid Unicode")]
    public void Open_BrokenIndex_IsNamed(string index, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], Model.Config);
        File.WriteAllText(folder[TestCheckpoint.Index], index);
        File.WriteAllBytes(
            folder["s.safetensors"],
            TestCheckpoint.File([new TestTensor("a", "U8", [1], [1]), new TestTensor("b", "U8", [1], [1])]));
        File.WriteAllBytes(folder["t.safetensors"], TestCheckpoint.File([new TestTensor("c", "U8", [1], [1])]));
        var exception = Should.Throw<WiscaException>(() => Checkpoint.Open(folder.FullPath));
        exception.Message.ShouldContain(expected);
        exception.Message.ShouldContain(TestCheckpoint.Index);
        exception.Hint.ShouldNotBeNullOrEmpty();
    }

    [Theory]
    [InlineData("", "config.json is not valid JSON")]
    [InlineData("\uFEFF{}", "config.json is not valid JSON (line 1, byte 1)")]
    [InlineData("{\"a\":1,\"a\":2}", "config.json names a key twice")]
    [InlineData("{\"a\":01}", "config.json is not valid JSON")]
    [InlineData("{\"a\":\"\\udc00\"}", "config.json holds a string that is not valid Unicode")]
    [InlineData("[1]", "config.json is not a JSON object")]
    [InlineData("null", "config.json is not a JSON object")]
    public void Parse_BrokenConfiguration_IsNamed(string json, string expected) =>
        Should.Throw<WiscaException>(() => ModelConfig.Parse(json)).Message.ShouldStartWith(expected);

    [Fact]
    public void ModelConfig_DottedKeys_AndNulls()
    {
        var config = ModelConfig.Parse("""{"a":{"b":{"c":7},"n":null},"x":1.5,"t":true,"s":"text","big":1e999,"frac":2.0,"neg":-1}""");
        config.FindInt("a.b.c").ShouldBe(7);
        config.Find("a.n").ShouldBeNull();
        config.Find("a.b.c.d").ShouldBeNull();
        config.FindInt("absent").ShouldBeNull();
        config.FindNumber("x").ShouldBe(1.5);
        config.FindBool("t").ShouldBe(true);
        config.FindString("s").ShouldBe("text");
        Should
            .Throw<WiscaException>(() => config.FindInt("frac"))
            .Message.ShouldBe("config.json: frac is 2.0, expected a whole number from 1");
        Should.Throw<WiscaException>(() => config.FindInt("neg")).Message.ShouldContain("neg is -1");
        Should.Throw<WiscaException>(() => config.FindInt("s"));
        Should.Throw<WiscaException>(() => config.FindNumber("big")).Message.ShouldContain("expected a number");
        Should.Throw<WiscaException>(() => config.FindBool("s")).Message.ShouldContain("expected true or false");
        Should.Throw<WiscaException>(() => config.FindString("x")).Message.ShouldContain("expected a string");
        Should.Throw<WiscaException>(() => config.ModelType).Message.ShouldContain("no string model_type");
    }

    [Fact]
    public void SideFiles_OfACrowdedFolder_AreSorted()
    {
        using var folder = new TemporaryFolder();
        (Model with { Shards = 2 }).Write(folder["m"]);
        string[] kept =
        [
            "config.json", "tokenizer.json", "tokenizer.model", "README.md", ".gitattributes", "training_args.bin", "1_Pooling/config.json",
            "original/params.json", "training/notes.txt", "model.safetensors.index.json",
        ];
        string[] left =
        [
            "pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json", "consolidated.00.pth",
            "consolidated.safetensors", "model.gguf", "extra.safetensors",
            "optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state_0.pth", "original/consolidated.00.pth", "onnx/model.onnx",
            "tf_model.h5", "flax_model.msgpack", "adapter_model.bin", "model.bin",
        ];
        foreach (string name in kept.Concat(left).Append("wisca.json").Append(".git/config"))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder["m", name])!);
            if (!File.Exists(folder["m", name])) File.WriteAllText(folder["m", name], "{}");
        }

        foreach (string name in (string[])["draft/config.json", "draft/model.safetensors"])
        {
            Directory.CreateDirectory(folder["m", "draft"]);
            File.WriteAllText(folder["m", name], "{}");
        }

        File.CreateSymbolicLink(folder["m", "gone.txt"], "nowhere");
        Directory.CreateSymbolicLink(folder["m", "linked"], folder["m", "1_Pooling"]);
        using var checkpoint = Checkpoint.Open(folder["m"]);
        var sideFiles = SideFiles.Of(checkpoint);
        sideFiles.Copied.Order(StringComparer.Ordinal).ShouldBe(kept.Order(StringComparer.Ordinal));
        sideFiles
            .LeftOut.Select(entry => entry.Path)
            .Order(StringComparer.Ordinal)
            .ShouldBe(left.Concat([".git/", "draft/", "gone.txt", "linked/"]).Order(StringComparer.Ordinal));
        sideFiles.LeftOut.ShouldAllBe(entry => entry.Reason.Length > 0);
    }

    [Fact]
    public void Measure_NonFiniteElement_IsNamedWithItsPlace()
    {
        using var folder = new TemporaryFolder();
        foreach (string dtype in (string[])["F16", "BF16", "F32", "F64"])
        {
            foreach (double bad in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
            {
                double[] values = [.. Enumerable.Range(0, 5 * 37).Select(i => i * 0.01)];
                values[(3 * 37) + 29] = bad;
                string name = $"{dtype}{bad.GetHashCode()}";
                TestCheckpoint.Write(
                    folder[name],
                    Model.Config,
                    [
                        new TestTensor("w", dtype, [5, 37], ReferenceFloat.Bytes(dtype, values)),
                        new TestTensor("b", dtype, [5 * 37], ReferenceFloat.Bytes(dtype, values)),
                    ]);
                using var checkpoint = Checkpoint.Open(folder[name]);
                var source = new CheckpointTensorSource(checkpoint);
                for (int axis = 0; axis < 2; axis++)
                    Should
                        .Throw<WiscaException>(() => source.Measure("w", axis))
                        .Message.ShouldBe("model.safetensors: tensor 'w' holds NaN or infinity at [3, 29]");
                Should
                    .Throw<WiscaException>(() => source.Measure("b", 0))
                    .Message.ShouldBe("model.safetensors: tensor 'b' holds NaN or infinity at [140]");
            }
        }
    }
}
