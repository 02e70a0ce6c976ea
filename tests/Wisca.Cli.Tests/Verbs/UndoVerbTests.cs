using System.Text.Json;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

public sealed class UndoVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F32", "pow2", true)]
    [InlineData("F32", "none", false)]
    [InlineData("BF16", "auto", true)]
    public async Task Undo_AfterRescale_SaysHowExactItIs(string dtype, string round, bool bitExact)
    {
        new SmallLlama { Dtype = dtype, Shards = 3 }.Write(_folder["model"]);
        (await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"], "--round", round)).ExitCode.ShouldBe(0);
        var run = await CommandRun.RunAsync("undo", _folder["out"], "--out", _folder["back"]);
        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain(bitExact ? "bit for bit: 8 tensors" : "to rounding: 8 tensors");
        var before = TestCheckpoint.Read(_folder["model"]);
        bool same = TestCheckpoint.Read(_folder["back"]).All(tensor => tensor.Value.Bytes.SequenceEqual(before[tensor.Key].Bytes));
        same.ShouldBe(bitExact);
    }

    [Fact]
    public async Task Undo_TensorTrainedSince_IsNamed()
    {
        new SmallLlama().Write(_folder["model"]);
        (await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"], "--round", "pow2")).ExitCode.ShouldBe(0);
        string weights = _folder["out", "model.safetensors"];
        byte[] bytes = File.ReadAllBytes(weights);
        int at = bytes.AsSpan().IndexOf(TestCheckpoint.Read(_folder["out"])[SmallLlama.Weight(0, "q")].Bytes);
        bytes[at] ^= 1;
        File.WriteAllBytes(weights, bytes);
        var run = await CommandRun.RunAsync("undo", _folder["out"], "--out", _folder["back"], "--json");
        run.ExitCode.ShouldBe(0);
        JsonDocument.Parse(run.Output).RootElement.GetProperty("trained_since").EnumerateArray().Select(name => name.GetString())
            .ShouldBe([SmallLlama.Weight(0, "q")]);
    }

    [Fact]
    public async Task Undo_NoLedger_Fails()
    {
        new SmallLlama().Write(_folder["model"]);
        (await CommandRun.RunAsync("undo", _folder["model"], "--out", _folder["back"])).ShouldFail("has no wisca.json");
    }
}
