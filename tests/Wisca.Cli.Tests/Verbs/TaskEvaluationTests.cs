using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class TaskEvaluationTests
{
    private const string Piqa = """{"goal": "dry a coat", "sol1": "hang it up", "sol2": "bury it", "label": 0}""";

    [Fact]
    public async Task Eval_ListTasks_NeedsNoModel()
    {
        var run = await CommandRun.RunAsync("eval", "--list-tasks");
        run.ExitCode.ShouldBe(0, run.Error);
        string[] names =
        [
            "arc_challenge", "arc_easy", "blimp", "boolq", "copa", "hellaswag", "lambada_openai", "openbookqa", "piqa", "sciq",
            "social_iqa", "winogrande", "wsc273",
        ];
        run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]).ShouldBe(names);
    }

    [Theory]
    [InlineData("nothing to measure")]
    [InlineData("give --data DIR", "--tasks", "piqa")]
    [InlineData("--tasks names no task", "--tasks", ",", "--data", ".")]
    [InlineData("expected one of the two", "--tasks", "piqa", "--data", ".", "--text", "README.md")]
    [InlineData("--log-samples needs a place", "--tasks", "piqa", "--data", ".", "--log-samples")]
    [InlineData("expected a number from 0 to 1000", "--tasks", "piqa", "--data", ".", "--num_fewshot", "-1")]
    public async Task Eval_WrongUse_Exit2(string expected, params string[] args)
    {
        var run = await CommandRun.RunAsync(["eval", "model", .. args]);
        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldContain(expected);
    }

    [Fact]
    public async Task Eval_NoModelGiven_Exit2() =>
        (await CommandRun.RunAsync("eval", "--tasks", "piqa", "--data", ".")).ErrorLines[0].ShouldBe("wisca: no MODEL is given");

    [Fact]
    public async Task Eval_TaskThatIsNotKnown_SaysSo() =>
        (await CommandRun.RunAsync("eval", "model", "--tasks", "pika", "--data", ".")).ShouldFail("no task is called 'pika'");

    [Fact]
    public async Task Eval_SmallModel_TableResultAndSamples()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        using var folder = new TemporaryFolder();
        Write(folder["data", "piqa", "validation.jsonl"], Piqa + "\n" + Piqa);
        Write(
            folder["mine", "riddles.yaml"],
            "task: riddles\ndoc_to_choice: [\"{{a}}\", \"{{b}}\"]\ngold: \"0\"\ndata:\n  - name: mine\n    test: riddles.jsonl\n");
        Write(folder["data", "riddles.jsonl"], """{"a": "Once upon a time", "b": "xqzt"}""");

        // The harness's spelling of every option that has one.
        var run = await CommandRun.RunAsync(
            "eval",
            model,
            "--tasks",
            "piqa,riddles,sciq",
            "--data",
            folder["data"],
            "--include_path",
            folder["mine"],
            "--num_fewshot",
            "0",
            "--batch_size",
            "4",
            "--limit",
            "1",
            "--log_samples",
            "--output_path",
            folder["out"],
            "--threads",
            "1");
        run.ExitCode.ShouldBe(2, run.Error);
        run.Output.ShouldContain("|Tasks  |Version|Filter|n-shot|Metric  |   |Value ");
        run.Output.ShouldContain("only the first 1 documents of each task");
        run.Output.ShouldContain("|riddles|");
        run.ErrorLines[0].ShouldStartWith("wisca: task sciq: no data in ");
        run.ErrorLines[1].ShouldStartWith("hint: ");
        run.ErrorLines.Length.ShouldBe(2);
        string[] files = [.. Directory.EnumerateFiles(folder["out"]).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];
        files.Length.ShouldBe(3);
        files[0].ShouldMatch(@"^results_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}\.json$");
        files[1].ShouldStartWith("samples_piqa_");
        files[2].ShouldStartWith("samples_riddles_");
        var json = JsonNode.Parse(File.ReadAllText(folder["out", files[0]]))!;
        json["results"]!["riddles"]!["acc,none"]!.GetValue<double>().ShouldBe(1);
        json["n-samples"]!["piqa"]!.ToJsonString().ShouldBe("""{"original":2,"effective":1}""");
        json["config"]!["batch_size"]!.GetValue<int>().ShouldBe(4);
        json["failures"]!["sciq"]!.GetValue<string>().ShouldContain("no data in");
    }

    [Fact]
    public async Task Eval_OutputFileAndJson_AreTheSameResult()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        using var folder = new TemporaryFolder();
        Write(folder["piqa", "validation.jsonl"], Piqa);
        string[] args =
        [
            "eval", model, "--tasks", "piqa", "--data", folder.FullPath, "--out", folder["result.json"], "--json", "--threads", "1",
        ];
        var run = await CommandRun.RunAsync(args);
        run.ExitCode.ShouldBe(0, run.Error);
        JsonNode.DeepEquals(JsonNode.Parse(run.Output), JsonNode.Parse(File.ReadAllText(folder["result.json"]))).ShouldBeTrue();
        (await CommandRun.RunAsync(args)).ShouldFail("exists");
        (await CommandRun.RunAsync([.. args, "--force"])).ExitCode.ShouldBe(0);
    }

    private static void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text + "\n");
    }
}
