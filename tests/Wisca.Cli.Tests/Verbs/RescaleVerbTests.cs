using System.Text.Json;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

public sealed class RescaleVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Rescale_Defaults_BalancesAndSaysSo()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"]);
        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("1.000");
        run.Output.ShouldContain("exact factors: equal to rounding");
        run.Error.ShouldBeEmpty();
        File.Exists(_folder["out", "wisca.json"]).ShouldBeTrue();
    }

    [Fact]
    public async Task Rescale_Json_ListsEveryGroupWithItsNorms()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync(
            "rescale", _folder["model"], "--out", _folder["out"], "--qk", "pair", "--vo", "channel", "--round", "pow2", "--json");
        run.ExitCode.ShouldBe(0);
        var json = JsonDocument.Parse(run.Output).RootElement;
        json.GetProperty("bit_exact").GetBoolean().ShouldBeTrue();

        // 2 layers, 2 kv heads, 8 channels: 4 pairs for qk, 8 channels for vo.
        json.GetProperty("groups").GetArrayLength().ShouldBe((2 * 2 * 4) + (2 * 2 * 8));
        foreach (var group in json.GetProperty("groups").EnumerateArray())
        {
            double factor = group.GetProperty("factor").GetDouble();
            double.IsPow2(factor).ShouldBeTrue();
            group.GetProperty("norms_after")[0].GetDouble().ShouldBe(group.GetProperty("norms_before")[0].GetDouble() * factor);
            group.GetProperty("norms_after")[1].GetDouble().ShouldBe(group.GetProperty("norms_before")[1].GetDouble() / factor);
        }
    }

    [Fact]
    public async Task Rescale_All_BalancesJointlyAndSaysByHowMuch()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"], "--all", "--json");
        run.ExitCode.ShouldBe(0);
        var json = JsonDocument.Parse(run.Output).RootElement;
        var objective = json.GetProperty("objective");
        objective.GetProperty("after").GetDouble().ShouldBeLessThan(objective.GetProperty("before").GetDouble());
        objective.GetProperty("sweeps").GetInt32().ShouldBeGreaterThan(1);
        string[] kinds = [.. json.GetProperty("groups").EnumerateArray().Select(group => group.GetProperty("transition").GetString()!)];
        kinds.Distinct().Order().ShouldBe(["ng", "qk", "vo"]);

        // The ledger tells the same, and the certificate finds it without.
        var ledger = JsonDocument.Parse(await File.ReadAllTextAsync(_folder["out", "wisca.json"])).RootElement;
        ledger.GetProperty("moves")[0].GetProperty("objective").GetProperty("sweeps").GetInt32()
            .ShouldBe(objective.GetProperty("sweeps").GetInt32());
        File.Delete(_folder["out", "wisca.json"]);
        var verified = await CommandRun.RunAsync("verify", _folder["model"], _folder["out"]);
        verified.ExitCode.ShouldBe(0, verified.Output);
        verified.Output.ShouldContain("factors pass through");
    }

    [Theory]
    [InlineData("--all is every exact transition", "--all", "--mlp", "tensor")]
    [InlineData("use l1 or l2", "--all", "--criterion", "rms")]
    public async Task Rescale_AllBesideWhatContradictsIt_IsAMistakeOfTheCommandLine(string message, params string[] options)
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync(["rescale", _folder["model"], "--dry-run", .. options]);
        run.ExitCode.ShouldBe(2);
        run.Error.ShouldContain(message);
    }

    [Fact]
    public async Task Rescale_DryRun_WritesNothing()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--dry-run");
        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("dry run: nothing was written");
        Directory.EnumerateFileSystemEntries(_folder.FullPath).ShouldBe([_folder["model"]]);
    }

    [Fact]
    public async Task Rescale_AlreadyBalanced_ClaimsNothing()
    {
        new SmallLlama().Write(_folder["model"]);
        string[] options = ["--qk", "tensor", "--vo", "tensor", "--round", "pow2"];
        await CommandRun.RunAsync(["rescale", _folder["model"], "--out", _folder["once"], .. options]);
        var run = await CommandRun.RunAsync(["rescale", _folder["once"], "--out", _folder["twice"], .. options]);
        run.Output.ShouldContain("no factor differs from 1: the weights are the same");
        run.Output.ShouldNotContain("bit-identical");
    }

    [Fact]
    public async Task Rescale_TerminalOfEightyColumns_BreaksNoLineOfTheTable()
    {
        new SmallLlama().Write(_folder["model"]);
        string[] arguments = ["rescale", _folder["model"], "--dry-run", "--qk", "kv-head", "--vo", "kv-head"];
        var wide = await CommandRun.RunAsync(arguments);
        wide.Output.ShouldContain("norm ratio before");
        (await CommandRun.RunAsync(80, arguments)).Output.ShouldBe(wide.Output);
    }

    [Fact]
    public async Task Rescale_PresetOfRows_SaysThatRowsArePairs()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--dry-run", "--preset", "qk_row+vo_row");
        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("qk per rotary pair where RoPE acts");
    }

    [Fact]
    public async Task Rescale_RotatedChannels_IsRefusedAndNamesPair()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"], "--qk", "channel");
        run.ShouldFail("use pair");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Theory]
    [InlineData(0, false, "--preset", "qk_ten+vo_ten")]
    [InlineData(0, false)]
    [InlineData(1, true, "--qk", "tensor", "--vo", "tensor")]
    [InlineData(1, true, "--preset", "qk_ten")]
    public async Task Rescale_NormalisedQueriesAndKeys_AppliesWhatIsExactUnlessAskedForMore(
        int exitCode, bool fails, params string[] options)
    {
        var model = new SmallLlama();
        var tensors = model.Tensors();
        foreach (int layer in (int[])[0, 1])
        {
            foreach (string norm in (string[])["q_norm", "k_norm"])
                tensors.Add(
                    new TestTensor(
                        $"model.layers.{layer}.self_attn.{norm}.weight", "F32", [model.HeadDim],
                        ReferenceFloat.Bytes("F32", Enumerable.Repeat(1.0, model.HeadDim))));
        }

        TestCheckpoint.Write(_folder["model"], model.Config.Replace("\"llama\"", "\"qwen3\"", StringComparison.Ordinal), tensors);
        var run = await CommandRun.RunAsync(["rescale", _folder["model"], "--out", _folder["out"], .. options]);
        run.ExitCode.ShouldBe(exitCode, run.Error);
        if (fails) run.ShouldFail("QK-norm");
        else run.Output.ShouldContain("refused: qk in layers 0-1: ");
    }

    [Theory]
    [InlineData("--qk: Argument 'foo' not recognized", "--qk", "foo")]
    [InlineData("--threads is '0'", "--threads", "0")]
    [InlineData("--threads is 'many'", "--threads", "many")]
    [InlineData("--max-log2 is 'NaN'", "--max-log2", "NaN")]
    [InlineData("'--rond'", "--rond", "pow2")]
    [InlineData("two ways", "--preset", "qk_ten", "--qk", "tensor")]
    [InlineData("'qk_tensor' is not a preset", "--preset", "qk_tensor")]
    [InlineData("two strategies for qk", "--preset", "qk_ten+qk_row")]
    [InlineData("layers '0-7'", "--layers", "0-7")]
    [InlineData("'x' is not a range of layers", "--layers", "x")]
    public async Task Rescale_WrongUsage_IsOneLineAndExit2(string expected, params string[] options)
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync(["rescale", _folder["model"], "--out", _folder["out"], .. options]);
        run.ExitCode.ShouldBe(2);
        run.Output.ShouldBeEmpty();
        run.ErrorLines.Length.ShouldBe(2);
        run.ErrorLines[0].ShouldContain(expected);
        run.ErrorLines[1].ShouldBe("hint: wisca rescale --help shows how it is used");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public async Task Rescale_NoOutput_IsWrongUsage()
    {
        new SmallLlama().Write(_folder["model"]);
        var run = await CommandRun.RunAsync("rescale", _folder["model"]);
        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldContain("--out");
    }
}
