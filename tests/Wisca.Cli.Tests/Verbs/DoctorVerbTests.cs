using System.Text.Json;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class DoctorVerbTests
{
    [Fact]
    public async Task Doctor_MachineThatRunsTheTests_IsWell()
    {
        var run = await CommandRun.RunAsync("doctor", "--json");
        run.ExitCode.ShouldBe(0, run.Output);
        var checks = JsonDocument
            .Parse(run.Output)
            .RootElement.EnumerateArray()
            .ToDictionary(check => check.GetProperty("check").GetString()!);
        checks.Keys.ShouldBe(["SDK", "libstdc++", "libtorch", "threads", "memory", "disk"], ignoreOrder: true);
        checks["libtorch"].GetProperty("found").GetString()!.ShouldContain("TorchSharp 0.107.0");
    }
}
