using System.Diagnostics;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>An evaluation, killed while it runs.</summary>
public sealed class EvalKillTests
{
    [Fact]
    public void Eval_Killed_GoesOnToTheResultOfAnUninterruptedRun()
    {
        string model = TestData.Require("models", "TinyStories-656K"),
            stories = TestData.Require("text", "tinystories", "valid.first220.txt");
        using var folder = new TemporaryFolder();
        string[] arguments = ["eval", model, "--text", stories, "--limit", "40", "--batch-size", "1", "--threads", "1", "--out"];
        WiscaProcess.Run([.. arguments, folder["whole.json"]]);

        string state = folder["killed.json.partial"];
        using (var process = WiscaProcess.Start([.. arguments, folder["killed.json"]]))
        {
            for (var clock = Stopwatch.StartNew(); !File.Exists(state) && clock.Elapsed < TimeSpan.FromMinutes(1);)
            {
                if (process.Wait(TimeSpan.FromMilliseconds(5)))
                    throw new InvalidOperationException($"the run ended before it was killed: {process.Error}");
            }

            process.Kill();
        }

        File.Exists(folder["killed.json"]).ShouldBeFalse();
        int done = (int)JsonNode.Parse(File.ReadAllText(state))!["Sums"]!["Documents"]!;
        done.ShouldBeInRange(1, 39);
        using (var process = WiscaProcess.Start([.. arguments, folder["killed.json"]]))
        {
            process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
            process.ExitCode.ShouldBe(0, process.Error);
            process.Error.ShouldContain($"going on behind {done} documents");
        }

        JsonObject whole = Result("whole.json"), killed = Result("killed.json");
        whole.Remove("seconds");
        killed.Remove("seconds");
        killed.ToJsonString().ShouldBe(whole.ToJsonString());
        File.Exists(state).ShouldBeFalse();

        JsonObject Result(string name) => JsonNode.Parse(File.ReadAllText(folder[name]))!.AsObject();
    }
}
