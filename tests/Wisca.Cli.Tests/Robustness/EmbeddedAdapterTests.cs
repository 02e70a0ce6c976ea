using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>A model folder that also holds an adapter, which transformers attaches on loading: no verb passes over it.</summary>
public sealed class EmbeddedAdapterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public EmbeddedAdapterTests()
    {
        var model = new SmallLlama();
        model.Write(_folder["model"]);
        SmallAdapter.Of(model).Write(_folder["model"]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ReadingVerbs_SayThatTheModelsOwnWeightsAreRead()
    {
        new SmallLlama().Write(_folder["bare"]);
        foreach (
            string[] arguments in (string[][])
                [
                    ["inspect", _folder["model"]],
                    ["verify", _folder["bare"], _folder["model"]],
                    ["rescale", _folder["model"], "--dry-run"],
                ])
        {
            var run = await CommandRun.RunAsync(arguments);
            run.ExitCode.ShouldBe(0, run.Error);
            run.ErrorLines.ShouldHaveSingleItem()
                .ShouldStartWith($"note: {_folder["model"]} also holds an adapter, which transformers attaches when it loads the folder; ");
            var json = await CommandRun.RunAsync([.. arguments, "--json"]);
            JsonNode.Parse(json.Output)!["notes"]!.AsArray().ShouldContain(note => note!.GetValue<string>().Contains("holds an adapter"));
        }

        (await CommandRun.RunAsync("inspect", _folder["bare"])).Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task Rescale_WithoutItsAdapter_IsRefused()
    {
        (await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"])).ShouldFail("also holds an adapter");
        SmallAdapter.Of(new SmallLlama()).Write(_folder["other"]);
        (await CommandRun.RunAsync(
            "rescale", _folder["model"], "--out", _folder["out"], "--adapter", _folder["other"], "--adapter-out", _folder["moved"])
        ).ShouldFail("also holds an adapter");
        Directory.GetDirectories(_folder.FullPath).Select(Path.GetFileName).ShouldBe(["model", "other"], ignoreOrder: true);
    }

    [Fact]
    public async Task RescaleAndMerge_GivenAsBoth_MoveOrMergeIt()
    {
        string model = _folder["model"];
        var rescale = await CommandRun.RunAsync(
            "rescale", model, "--out", _folder["out"], "--adapter", model, "--adapter-out", _folder["moved"], "--round", "pow2");
        rescale.ExitCode.ShouldBe(0, rescale.Error);
        Files("out").ShouldBe(["config.json", "model.safetensors", "wisca.json"]);
        Files("moved").ShouldBe(["adapter_config.json", "adapter_model.safetensors", "wisca.json"]);
        foreach (string[] pair in (string[][])[[model, model, _folder["merged"]], [_folder["out"], _folder["moved"], _folder["later"]]])
        {
            var merge = await CommandRun.RunAsync("merge", pair[0], pair[1], "--out", pair[2], "--tokens", "0");
            merge.ExitCode.ShouldBe(0, merge.Error);
            merge.Error.ShouldNotContain("also holds");
        }

        Files("merged").ShouldBe(["config.json", "model.safetensors", "wisca.json"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        using var later = Checkpoint.Open(_folder["later"]);
        Certificates.Certifier.Compare(merged, later).Equivalent.ShouldBeTrue();

        // What was moved goes back; a rescaled model beside which an adapter is put does not, until it is alone.
        (await CommandRun.RunAsync("undo", _folder["moved"], "--out", _folder["back"])).ExitCode.ShouldBe(0);
        const string weights = "adapter_model.safetensors";
        File.ReadAllBytes(_folder["back", weights]).ShouldBe(File.ReadAllBytes(_folder["model", weights]));
        foreach (string name in (string[])["adapter_config.json", "adapter_model.safetensors"])
            File.Copy(_folder["moved", name], _folder["out", name]);
        (await CommandRun.RunAsync("undo", _folder["out"], "--out", _folder["undone"])).ShouldFail("also holds an adapter");
    }

    private string[] Files(string folder) => [.. Directory.GetFiles(_folder[folder]).Select(path => Path.GetFileName(path)).Order()];
}
