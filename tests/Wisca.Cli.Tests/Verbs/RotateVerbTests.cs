using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

/// <summary><c>wisca rotate</c>.</summary>
public sealed class RotateVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public RotateVerbTests() => Write(new SmallLlama(), "m");

    /// <summary>With a head of its own, and gains that differ.</summary>
    private void Write(SmallLlama model, string folder)
    {
        var tensors = model.Tensors();
        var embedding = tensors.Single(tensor => tensor.Name == "model.embed_tokens.weight");
        model.Write(
            _folder[folder],
            [
                .. tensors.Select(tensor => tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? Gains(tensor) : tensor),
                embedding with { Name = "lm_head.weight" },
            ]);

        static TestTensor Gains(TestTensor tensor) => tensor with
        {
            Bytes = ReferenceFloat.Bytes(tensor.Dtype, [.. Enumerable.Range(0, (int)tensor.Shape[0]).Select(i => 0.5 + (0.1 * i))]),
        };
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Rotate_Model_SaysWhatItDidAndUndoTakesItBack()
    {
        var run = await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"], "--stream", "random", "--heads", "hadamard");
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("rotated: the residual stream");
        run.Output.ShouldContain("spaces vo");
        run.Output.ShouldContain("refused: qk");
        File.Exists(Path.Combine(_folder["r"], "wisca-rotation-0.safetensors")).ShouldBeTrue();

        (await CommandRun.RunAsync("inspect", _folder["r"])).Output.ShouldContain("1 move by wisca");
        var undo = await CommandRun.RunAsync("undo", _folder["r"], "--out", _folder["u"]);
        undo.ExitCode.ShouldBe(0, undo.Error);
        undo.Output.ShouldContain("1 move undone");
        Directory.GetFiles(_folder["u"], "wisca-rotation*").ShouldBeEmpty();
    }

    [Fact]
    public async Task Rotate_WithAdapter_WritesBothAndUndoTakesEachBack()
    {
        SmallAdapter.Of(new SmallLlama()).Write(_folder["a"]);
        var run = await CommandRun.RunAsync(
            "rotate", _folder["m"], "--out", _folder["r"], "--adapter", _folder["a"], "--adapter-out", _folder["t"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain($"{_folder["t"]}: the adapter, for the rotated model");
        var undo = await CommandRun.RunAsync("undo", _folder["t"], "--out", _folder["u"]);
        undo.ExitCode.ShouldBe(0, undo.Error);
        undo.Output.ShouldContain("1 move undone");
        (await CommandRun.RunAsync("merge", _folder["r"], _folder["t"], "--out", _folder["both"])).ExitCode.ShouldBe(0);
        (await CommandRun.RunAsync("merge", _folder["m"], _folder["t"], "--out", _folder["wrong"])).ShouldFail("tell of different moves");
        (await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"], "--adapter", _folder["a"])).ExitCode.ShouldBe(2);
    }

    [Fact]
    public async Task Inspect_Outliers_ShowsBothModels()
    {
        (await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"], "--stream", "hadamard")).ExitCode.ShouldBe(0);
        string[] command = ["inspect", _folder["m"], "--outliers", "--against", _folder["r"]];
        var run = await CommandRun.RunAsync(command);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("kurtosis");
        run.Output.ShouldContain(" -> ");
        var entries = JsonNode.Parse((await CommandRun.RunAsync([.. command, "--json"])).Output)!["outliers"]!.AsArray();
        entries.Count.ShouldBe(new SmallLlama().Tensors().Count(tensor => tensor.Shape.Length > 1) + 1);
        foreach (var entry in entries)
        {
            foreach (string key in (string[])["kurtosis", "largest", "largest_row", "largest_column"])
            {
                ((double)entry![key]!).ShouldBeGreaterThan(0.9);
                ((double)entry["against"]![key]!).ShouldNotBe((double)entry[key]!);
            }
        }

        (await CommandRun.RunAsync("inspect", _folder["m"], "--against", _folder["r"])).ExitCode.ShouldBe(2);
        new SmallLlama { Layers = 1 }.Write(_folder["other"]);
        (await CommandRun.RunAsync("inspect", _folder["m"], "--outliers", "--against", _folder["other"]))
            .ShouldFail("has no matrix 'model.layers.1.self_attn.q_proj.weight'");
    }

    [Fact]
    public async Task Rotate_Json_NamesEverySpace()
    {
        var run = await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"], "--json");
        run.ExitCode.ShouldBe(0, run.Error);
        var json = JsonNode.Parse(run.Output)!;
        json["rotated"]!.AsArray().Select(space => (string?)space!["space"]).ShouldBe(["stream"]);
        ((int)json["tensors"]!).ShouldBeGreaterThan(10);
        json["refused"]!.AsArray().ShouldNotBeEmpty();
    }

    /// <summary>The same bytes, whatever vectors the processor has and however many threads work: of a stream large enough that its
    /// covariance, its reduction and its eigenvectors are handed out in parts.</summary>
    [Theory]
    [InlineData("weights")]
    [InlineData("random")]
    public void Rotate_OtherVectorsAndThreads_WritesTheSameBytes(string basis)
    {
        Write(new SmallLlama { Hidden = 276 }, "large");
        (string Name, (string, string)[] Variables, string Threads)[] runs =
        [
            ("one", [], "1"),
            ("two", [], "2"),
            ("narrow", [("DOTNET_EnableAVX512F", "0"), ("DOTNET_EnableAVX512", "0")], "2"),
            ("width", [("DOTNET_MaxVectorTBitWidth", "128"), ("DOTNET_PreferredVectorBitWidth", "256")], "3"),
        ];
        foreach (var (name, variables, threads) in runs)
        {
            WiscaProcess.RunWith(
                variables, "rotate", _folder["large"], "--out", _folder[name], "--stream", basis, "--threads", threads);
            foreach (string file in (string[])["model.safetensors", "wisca-rotation-0.safetensors"])
                File.ReadAllBytes(Path.Combine(_folder[name], file)).AsSpan()
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(_folder["one"], file))).ShouldBeTrue($"{name}: {file}");
        }
    }

    [Theory]
    [InlineData(2, "--stream and --heads are both none", "--stream", "none")]
    [InlineData(2, "--layers chooses among heads", "--layers", "0")]
    [InlineData(2, "not among the model's layers 0 to 1", "--heads", "random", "--layers", "7")]
    [InlineData(2, "eigen", "--stream", "eigen")]
    public async Task Rotate_Nonsense_IsOneLineAndWritesNothing(int code, string expected, params string[] options)
    {
        var run = await CommandRun.RunAsync(["rotate", _folder["m"], "--out", _folder["r"], .. options]);
        run.ExitCode.ShouldBe(code);
        run.Error.ShouldContain(expected);
        Directory.Exists(_folder["r"]).ShouldBeFalse();
    }

    [Fact]
    public async Task Rotate_OutputThatExists_NeedsForce()
    {
        (await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"])).ExitCode.ShouldBe(0);
        (await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"])).ExitCode.ShouldBe(1);
        var forced = await CommandRun.RunAsync("rotate", _folder["m"], "--out", _folder["r"], "--force");
        forced.ExitCode.ShouldBe(0, forced.Error);
    }
}
