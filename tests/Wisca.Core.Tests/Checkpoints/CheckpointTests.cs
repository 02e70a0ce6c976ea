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
    [InlineData("{", "not valid JSON (line 1, column 2)")]
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
    [InlineData("\uFEFF{}", "config.json is not valid JSON (line 1, column 1): a byte order mark; save it without")]
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
            "optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state_0.pth", "original/consolidated.00.pth",
            "tf_model.h5", "flax_model.msgpack", "adapter_model.bin", "model.bin",
        ];
        foreach (string name in kept.Concat(left).Concat(["wisca.json", ".git/config", "onnx/model.onnx", "onnx/config.json"]))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder["m", name])!);
            if (!File.Exists(folder["m", name])) File.WriteAllText(folder["m", name], "{}");
        }

        Directory.CreateDirectory(folder["m", "draft"]);
        File.WriteAllText(folder["m", "draft", "config.json"], """{"model_type": "llama"}""");
        File.WriteAllText(folder["m", "draft", "model.safetensors"], "{}");

        File.CreateSymbolicLink(folder["m", "gone.txt"], "nowhere");
        Directory.CreateSymbolicLink(folder["m", "linked"], folder["m", "1_Pooling"]);
        using var checkpoint = Checkpoint.Open(folder["m"]);
        var sideFiles = SideFiles.Of(checkpoint);
        sideFiles.Copied.Order(StringComparer.Ordinal).ShouldBe(kept.Order(StringComparer.Ordinal));
        sideFiles
            .LeftOut.Select(entry => entry.Path)
            .Order(StringComparer.Ordinal)
            .ShouldBe(left.Concat([".git/", "draft/", "gone.txt", "linked/", "onnx/"]).Order(StringComparer.Ordinal));
        sideFiles.LeftOut.ShouldAllBe(entry => entry.Reason.Length > 0);
    }

    // Each entry with whether it goes along, and a part of the reason where it does not.
    [Theory]
    [InlineData("openvino/openvino_model.bin openvino/openvino_model.xml openvino/config.json", "openvino/", "weights in another form")]
    [InlineData("ov-int8/openvino_model.bin ov-int8/tokenizer.json", "ov-int8/", "weights in another form")]
    [InlineData("coreml/m.mlpackage/Manifest.json coreml/m.mlpackage/Data/weight.bin", "coreml/", "weights in another form")]
    [InlineData("apple/m.mlmodelc/model.mil", "apple/", "weights in another form")]
    [InlineData("graph/model.onnx graph/onnx__MatMul_12 graph/a.weight", "graph/model.onnx graph/a.weight", "weights in another form")]
    [InlineData("ggml-model-f16.bin model_state.pdparams m.tflite m.pt2 m.pte weights.npz rank0.engine m.nemo", null, "another form")]
    [InlineData("model.onnx model.onnx_data model.onnx.data", null, "weights in another form")]
    [InlineData("kv_cache_scales.json imatrix.dat my.imatrix model-act_scales.pt measurement.json awq_cache.pt", null, "measured on")]
    [InlineData("global_step12/mp_rank_00_model_states.pt global_step12/note.txt", "global_step12/", "training state")]
    [InlineData("0_Transformer/config.json 0_Transformer/model.safetensors", "0_Transformer/", "a model of its own")]
    [InlineData("adapter_config.json adapter_model.safetensors", null, "an adapter beside the model's own weights")]
    [InlineData("extra/adapter_config.json extra/adapter_model.bin", "extra/", "an adapter of its own")]
    [InlineData("value_head.safetensors v_head.bin score.safetensors mm_projector.bin vision_tower.safetensors", "", null)]
    [InlineData("mmproj-model-f16.gguf gguf/tiny-mmproj-BF16.gguf", "", null)]
    [InlineData("model.safetensors.sha256 MODEL.safetensors.SHA256 SHA256SUMS checksums.txt model.sig", null, "a checksum or signature of")]
    [InlineData("LICENSE LICENSE.sha256 README.md README.md.asc checksums.py", "", null)]
    [InlineData("optimizer.pt optimizer.pt.md5", "optimizer.pt optimizer.pt.md5", "would no longer match")]
    [InlineData("2_Dense/config.json 2_Dense/model.safetensors 1_Pooling/config.json 3_Normalize/x.bin", "", null)]
    [InlineData("tokenizer.model spiece.model chat_template.jinja image.png modeling_x.py imatrix.md training_args.bin", "", null)]
    public void SideFiles_EachKind_GoesByWhatItDependsOn(string files, string? expected, string? reason)
    {
        using var folder = new TemporaryFolder();
        Model.Write(folder["m"]);
        foreach (string name in files.Split(' '))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder["m", name])!);
            if (name.EndsWith("Transformer/config.json", StringComparison.Ordinal))
                File.WriteAllText(folder["m", name], """{"model_type": "bert"}""");
            else if (name.EndsWith(".safetensors", StringComparison.Ordinal))
                File.WriteAllBytes(folder["m", name], TestCheckpoint.File([new TestTensor("linear.weight", "U8", [1], [1])]));
            else File.WriteAllText(folder["m", name], "{}");
        }

        using var checkpoint = Checkpoint.Open(folder["m"]);
        var sideFiles = SideFiles.Of(checkpoint);
        string[] left = (expected ?? files).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        sideFiles.LeftOut.Select(entry => entry.Path).ShouldBe(left, ignoreOrder: true);
        sideFiles.LeftOut.ShouldAllBe(entry => entry.Reason.Contains(reason!));
        if (left.Length == 0) sideFiles.Copied.Except(["config.json"]).ShouldBe(files.Split(' '), ignoreOrder: true);
        sideFiles.Unknown.ShouldBeEmpty();
    }

    [Fact]
    public void SideFiles_SafetensorsBesideTheModel_GoAlongUnlessTheyHoldItsTensors()
    {
        using var folder = new TemporaryFolder();
        Model.Write(folder["m"]);
        var tensor = Model.Tensors()[0];
        File.WriteAllBytes(folder["m", "model.fp16.safetensors"], TestCheckpoint.File([tensor with { Dtype = "F32" }]));
        File.WriteAllBytes(folder["m", "mtp.safetensors"], TestCheckpoint.File([tensor with { Name = "mtp.weight" }]));
        using var checkpoint = Checkpoint.Open(folder["m"]);
        var sideFiles = SideFiles.Of(checkpoint);
        sideFiles.LeftOut.ShouldHaveSingleItem()
            .ShouldBe(
                ("model.fp16.safetensors",
                    $"it holds '{tensor.Name}' as the model does: weights in another form, which would no longer match"));
        sideFiles.Copied.ShouldContain("mtp.safetensors");
    }

    [Theory]
    [InlineData("8_bit/", "a model of its own")]
    [InlineData("4bit_awq/", "a model of its own")]
    [InlineData("1B_original/", "a model of its own")]
    [InlineData("classifier.safetensors", "weights in another form")]
    [InlineData("score_model.safetensors", "weights in another form")]
    [InlineData("3_Dense/model.safetensors", "weights in another form")]
    public void SideFiles_CopyOfTheModelUnderThePartsNames_StaysBehind(string path, string reason)
    {
        using var folder = new TemporaryFolder();
        Model.Write(folder["m"]);
        if (path.EndsWith('/')) Model.Write(folder["m", path]);
        else
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder["m", path])!);
            File.Copy(folder["m", Checkpoint.WeightsName], folder["m", path]);
        }

        using var checkpoint = Checkpoint.Open(folder["m"]);
        var sideFiles = SideFiles.Of(checkpoint);
        var (left, why) = sideFiles.LeftOut.ShouldHaveSingleItem();
        path.ShouldStartWith(left);
        why.ShouldContain(reason);
        sideFiles.Copied.ShouldBe(["config.json"]);
    }

    [Fact]
    public void SideFiles_ScoreThatTheModelHasToo_IsNoCopyOfIt()
    {
        using var folder = new TemporaryFolder();
        var score = new TestTensor("score.weight", "U8", [1], [1]);
        Directory.CreateDirectory(folder["m"]);
        File.WriteAllText(folder["m", "config.json"], Model.Config);
        File.WriteAllBytes(folder["m", Checkpoint.WeightsName], TestCheckpoint.File([.. Model.Tensors(), score]));
        File.WriteAllBytes(folder["m", "score.safetensors"], TestCheckpoint.File([score]));
        using var checkpoint = Checkpoint.Open(folder["m"]);
        SideFiles.Of(checkpoint).LeftOut.ShouldBeEmpty();
    }

    [Fact]
    public void SideFiles_LargeFileOfNoKnownKind_GoesAlongAndIsNamed()
    {
        using var folder = new TemporaryFolder();
        Model.Write(folder["m"]);
        File.WriteAllBytes(folder["m", "table.bin"], new byte[2 << 20]);
        File.WriteAllBytes(folder["m", "small.bin"], new byte[20]);
        File.WriteAllBytes(folder["m", "photo.png"], new byte[2 << 20]);
        using var checkpoint = Checkpoint.Open(folder["m"]);
        var sideFiles = SideFiles.Of(checkpoint);
        sideFiles.LeftOut.ShouldBeEmpty();
        sideFiles.Copied.ShouldBe(["config.json", "photo.png", "small.bin", "table.bin"], ignoreOrder: true);
        sideFiles.Unknown.ShouldBe(["table.bin"]);
    }

    [Fact]
    public void SideFiles_KnownCase_IsSorted()
    {
        using var checkpoint = Checkpoint.Open(TestData.Require("cases", "stale-companions", "model"));
        var sideFiles = SideFiles.Of(checkpoint);
        sideFiles.LeftOut.Select(entry => entry.Path)
            .ShouldBe(["coreml/", "ggml-model-f16.bin", "imatrix.dat", "kv_cache_scales.json", "model_state.pdparams", "openvino/"]);
        sideFiles.Copied.ShouldBe(
            [
                "2_Dense/config.json", "2_Dense/model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json",
                "value_head.safetensors",
            ]);
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
