using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

/// <summary><c>merge</c>, <c>balance</c>, <c>express</c>, and <c>rescale</c> and <c>undo</c> with adapters.</summary>
[Collection(nameof(TorchCollection))]
public sealed class AdapterVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public AdapterVerbTests()
    {
        Llama.Write(_folder["model"]);
        SmallAdapter.Of(Llama).Write(_folder["adapter"]);
    }

    private static SmallLlama Llama => new() { Shards = 2 };

    public void Dispose() => _folder.Dispose();

    /// <summary>Merged weights are right to the last place; how far that moves logits is the model's own matter.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("-bf16")]
    public async Task Merge_IllConditionedModel_IsNotSuspected(string type)
    {
        string model = TestData.Require("cases", "merge-false-alarm", "base" + type);
        string adapter = TestData.Require("cases", "merge-false-alarm", "adapter" + type);
        var run = await CommandRun.RunAsync("merge", model, adapter, "--out", _folder["out"]);
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldNotContain("NOT equivalent");
        run.Output.ShouldContain(" times what rounding the changed weights does (allowed 3), ");
    }

    [Fact]
    public async Task Merge_ModelWithoutForwardPass_SaysSoAndMergesAllTheSame()
    {
        // The small llama has no gate and no head: libtorch has no forward pass for it.
        var run = await CommandRun.RunAsync("merge", _folder["model"], _folder["adapter"], "--out", _folder["out"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("8 modules merged");
        run.Output.ShouldContain("logits not compared");
        TestCheckpoint
            .Read(_folder["out"])[SmallLlama.Weight(0, "q")]
            .Bytes.ShouldNotBe(TestCheckpoint.Read(_folder["model"])[SmallLlama.Weight(0, "q")].Bytes);
    }

    [Theory]
    [InlineData("merge")]
    [InlineData("rescale")]
    [InlineData("express")]
    public async Task AdapterThatLacksAPartOfItself_IsRefusedUnlessAllowed(string verb)
    {
        (SmallAdapter.Of(Llama) with
        {
            Edit = json => json["target_modules"] = new JsonArray("q_proj", "k_proj", "v_proj", "o_proj", "down_proj"),
        }).Write(_folder["partial"]);
        (await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["rescaled"])).ExitCode.ShouldBe(0);
        string[] arguments = verb switch
        {
            "merge" => ["merge", _folder["model"], _folder["partial"], "--out", _folder["out"]],
            "rescale" =>
            [
                "rescale", _folder["model"], "--adapter", _folder["partial"], "--adapter-out", _folder["moved"], "--out", _folder["out"],
            ],
            _ => ["express", _folder["partial"], "--base", _folder["rescaled"], "--for", "original", "--out", _folder["out"]],
        };
        const string missing = "target_modules names 10 modules of this base and the file has factors for 8";
        (await CommandRun.RunAsync(arguments)).ShouldFail(missing);
        Directory.Exists(_folder["out"]).ShouldBeFalse();
        var run = await CommandRun.RunAsync([.. arguments, "--allow-partial"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain(missing);
    }

    [Fact]
    public async Task Merge_NamesOfAnotherGeneration_AreTold()
    {
        var adapter = SmallAdapter.Of(Llama);
        adapter.Write(
            _folder["new"],
            adapter.Tensors().Select(tensor => tensor with
            {
                Name = tensor.Name.Replace("base_model.model.model.", "base_model.model.model.language_model.", StringComparison.Ordinal),
            }));
        var run = await CommandRun.RunAsync("merge", _folder["model"], _folder["new"], "--out", _folder["out"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("names: 'model.language_model.' of the adapter's names is 'model.' in the base's");
        var json = await CommandRun.RunAsync("merge", _folder["model"], _folder["new"], "--out", _folder["json"], "--json");
        JsonDocument.Parse(json.Output).RootElement.GetProperty("notes")[0].GetString()!.ShouldStartWith("names: ");
    }

    [Fact]
    public async Task Merge_FactorsOfATiedHead_SaysThatItIsUntied()
    {
        (SmallAdapter.Of(Llama) with { Modules = [.. SmallAdapter.Of(Llama).Modules, ("lm_head", 11, Llama.Hidden)] })
            .Write(_folder["head"]);
        var run = await CommandRun.RunAsync("merge", _folder["model"], _folder["head"], "--out", _folder["out"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("untied: lm_head.weight is a matrix of its own now (tie_word_embeddings false)");
        TestCheckpoint.Read(_folder["out"])["lm_head.weight"].Shape.ShouldBe([11, Llama.Hidden]);
    }

    [Fact]
    public async Task Merge_AnotherBase_Fails()
    {
        (Llama with { Hidden = 24 }).Write(_folder["other"]);
        (await CommandRun.RunAsync("merge", _folder["other"], _folder["adapter"], "--out", _folder["out"])).ShouldFail(
            "is not an adapter for");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public async Task Merge_OntoTheAdapter_Fails() =>
        (await CommandRun.RunAsync("merge", _folder["model"], _folder["adapter"], "--out", _folder["adapter"])).ShouldFail(
            "is the input folder itself");

    [Theory]
    [InlineData("tensor", "none")]
    [InlineData("rank", "pow2")]
    [InlineData("gl", "none")]
    public async Task Balance_Json_TellsEveryModule(string granularity, string round)
    {
        var run = await CommandRun.RunAsync(
            "balance", _folder["adapter"], "--out", _folder["out"], "--granularity", granularity, "--round", round, "--json");
        run.ExitCode.ShouldBe(0, run.Error);
        var modules = JsonDocument.Parse(run.Output).RootElement.GetProperty("modules").EnumerateArray().ToList();
        modules.Count.ShouldBe(8);
        modules.ShouldAllBe(module =>
            module.GetProperty("outcome").GetString() == "scaled"
            && module.GetProperty("imbalance_after").GetDouble() < module.GetProperty("imbalance_before").GetDouble());
    }

    [Fact]
    public async Task Balance_MatrixByPowersOfTwo_Fails() =>
        (await CommandRun.RunAsync("balance", _folder["adapter"], "--out", _folder["out"], "--round", "pow2")).ShouldFail(
            "no powers of two");

    [Fact]
    public async Task Rescale_WithAdapter_UndoAndExpressTakeBothBack()
    {
        var run = await CommandRun.RunAsync(
            "rescale", _folder["model"], "--out", _folder["m2"], "--adapter", _folder["adapter"], "--adapter-out", _folder["a2"], "--round",
            "pow2");
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("the adapter, for the rescaled model");
        (await CommandRun.RunAsync("undo", _folder["m2"], "--out", _folder["m3"])).ExitCode.ShouldBe(0);
        var undo = await CommandRun.RunAsync("undo", _folder["a2"], "--out", _folder["a3"]);
        undo.ExitCode.ShouldBe(0, undo.Error);
        undo.Output.ShouldContain("bit for bit: 8 tensors");
        Same("m3", "model");
        Same("a3", "adapter");
        var express = await CommandRun.RunAsync(
            "express", _folder["a2"], "--base", _folder["m2"], "--for", "original", "--out", _folder["a4"]);
        express.ExitCode.ShouldBe(0, express.Error);
        Same("a4", "adapter");
        (await CommandRun.RunAsync("merge", _folder["m2"], _folder["a4"], "--out", _folder["x"])).ShouldFail(
            "expressed for the original base");
        (await CommandRun.RunAsync("undo", _folder["a4"], "--out", _folder["x"])).ShouldFail("nothing to undo");
    }

    [Theory]
    [InlineData("--adapter", "A")]
    [InlineData("--adapter-out", "B")]
    public async Task Rescale_HalfOfTheAdapterOptions_IsWrongUsage(string option, string value)
    {
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["m2"], option, value);
        run.ExitCode.ShouldBe(2);
        run.Error.ShouldContain("belong together");
    }

    [Fact]
    public async Task Merge_NoAdapterFolder_Fails() =>
        (await CommandRun.RunAsync("merge", _folder["model"], _folder["model"], "--out", _folder["out"])).ShouldFail("adapter_config.json");

    private void Same(string actual, string expected)
    {
        var right = TestCheckpoint.Read(_folder[expected]);
        foreach (var (name, tensor) in TestCheckpoint.Read(_folder[actual])) tensor.Bytes.ShouldBe(right[name].Bytes, name);
    }
}
