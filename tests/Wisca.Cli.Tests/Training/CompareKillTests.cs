using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Comparison.Results;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Training;

/// <summary>Studies of tiny runs in processes: killed, interrupted, failing and diverging.</summary>
public sealed class CompareKillTests(ITestOutputHelper log)
{
    private const int Kills = 3;

    [Fact]
    public void Compare_KilledThreeTimes_EndsWithTheNumbersOfAnUndisturbedOne()
    {
        if (!OperatingSystem.IsLinux()) return;
        using TemporaryFolder whole = new(), killed = new();
        const string arms = "  wisca: { wisca: { every: 7, round: none } }\n  keep: { wisca: { every: 7, round: none, state: keep } }";
        WiscaProcess.Run("compare", "--config", TinyStudy.Write(whole, 30, arms, "seeds: [1]"));
        string[] command = ["compare", "--config", TinyStudy.Write(killed, 30, arms, "seeds: [1]")];
        var random = new Random();
        var finished = new List<int>();
        for (int kill = 0; kill < Kills; kill++)
        {
            using var process = WiscaProcess.Start(command);
            for (int tries = 0; tries < 600 && Workers(killed).Count == 0 && !process.Wait(TimeSpan.FromMilliseconds(10)); tries++)
            {
            }

            if (process.Wait(TimeSpan.FromMilliseconds(500 + random.Next(1500)))) break;
            if (kill == 1) process.Interrupt();
            else process.Kill();
            process.Wait(TimeSpan.FromSeconds(30)).ShouldBeTrue();
            if (kill == 1 && process.ExitCode != 0) process.Error.ShouldContain("the same command goes on from here");

            // Workers do not outlive their parent.
            for (int tries = 0; tries < 100 && Workers(killed).Count > 0; tries++) Thread.Sleep(50);
            Workers(killed).ShouldBeEmpty();
            string runs = killed["out", "runs"];
            finished.Add(Directory.Exists(runs) ? Directory.GetFiles(runs, "result.json", SearchOption.AllDirectories).Length : 0);
        }

        log.WriteLine($"finished runs when it was stopped: {string.Join(", ", finished)}");
        WiscaProcess.Run(command);
        Directory.GetDirectories(killed["out", "work"]).ShouldBeEmpty();
        var expected = Numbers(whole);
        expected.Count.ShouldBe(3);
        Numbers(killed).ShouldBe(expected);

        // What is finished is not made again.
        string[] files = Directory.GetFiles(killed["out", "runs"], "result.json", SearchOption.AllDirectories);
        var written = files.Select(File.GetLastWriteTimeUtc).ToList();
        using var again = WiscaProcess.Start(command);
        again.Wait(TimeSpan.FromMinutes(1)).ShouldBeTrue();
        again.ExitCode.ShouldBe(0, again.Error);
        files.Select(File.GetLastWriteTimeUtc).ShouldBe(written);
    }

    [Fact]
    public void Compare_RunsThatFailOrDiverge_AreRecordedAndTheOthersGoOn()
    {
        using var folder = new TemporaryFolder();
        string config = TinyStudy.Write(
            folder, 4,
            """
              diverging: { wisca: { preset: origin }, optimizer: { multipliers: [{ parameters: "*.q_proj.*", learning_rate: 1e30 }] } }
              broken: { model: { config: { model_type: llama, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1,
                num_attention_heads: 4, vocab_size: 100 } } }
            """,
            "seeds: [1]");
        using var process = WiscaProcess.Start("compare", "--config", config);
        process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
        process.ExitCode.ShouldBe(2, process.Error);
        process.Output.ShouldContain("failed: main/model/broken lr 1e-3 seed 1: the model has 100 tokens, its tokenizer ");
        process.Error.ShouldContain("diverged (step ");
        using var study = new StudyFolder(folder["out"]);
        var results = study.ReadResults().ById.Values.ToList();
        results.Count.ShouldBe(2);
        var origin = results.Single(result => result.Outcome == RunOutcome.Completed);
        results.Single(result => result.Outcome == RunOutcome.Diverged).Reason.ShouldNotBeNull().ShouldStartWith("step ");
        results.Select(result => result.InitialWeights).Distinct().Count().ShouldBe(1);
        origin.Imbalances.Select(series => (series.Name, series.Layer)).ShouldBe([("qk", 0), ("qk", 1), ("vo", 0), ("vo", 1)]);
        origin.Norms.Select(series => series.Name).Distinct().ShouldBe(["k", "o", "q", "v"], ignoreOrder: true);
        double Norm(string name) => origin.Norms.First(series => series.Name == name && series.Layer == 1).Values[^1];

        // Each of the three is stored with six digits.
        Math.Log2(Norm("q") / Norm("k"))
            .ShouldBe(origin.Imbalances.First(series => series is { Name: "qk", Layer: 1 }).Values[^1], 3e-5);
        (origin.HeldOut[^1].Step, origin.HeldOut[^1].Tokens, origin.Steps).ShouldBe((4, 4 * 2 * 32, 4));
        origin.HeldOut[^1].Validation.ShouldNotBe(origin.HeldOut[^1].Test);
        File.Exists(study.PagePath).ShouldBeTrue();
    }

    /// <summary>The example of the documentation: from two arms in at most ten lines to the report.</summary>
    [Fact]
    public void Compare_TheDocumentedQuestion_IsAnswered()
    {
        string document = TestRepository.ReadText("docs", "comparing.md"), yaml = document.Split("```yaml\n")[1].Split("```")[0];
        yaml.TrimEnd().Split('\n').Length.ShouldBeLessThanOrEqualTo(10);
        TestRepository.ReadText("docs", "tour.md").ShouldContain(yaml);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["question.yaml"], yaml);
        string Document(int i) => $"Document {i}: " + string.Concat(Enumerable.Repeat($"the number {i * 37 % 91} and ", 4));
        File.WriteAllLines(folder["text.txt"], Enumerable.Range(0, 60).SelectMany(i => (string[])[Document(i), "<|endoftext|>"]));
        File.WriteAllText(
            folder["model.json"],
            """
            {
              "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
              "num_attention_heads": 4, "num_key_value_heads": 2
            }
            """);
        string[] command =
        [
            "compare", "--config", folder["question.yaml"], "--workers", "2", "--set",
            $"output={folder["out"]}", $"training.model.config={folder["model.json"]}", "training.tokenizer.source=bytes",
            $"training.data.train=[{folder["text.txt"]}]", "training.data.held_out=0.3", "training.data.sequence_length=16",
            "training.steps=3", "training.batch_size=2", "seeds=[1,2]", "learning_rates=[1e-3]", "keep_models=true",
        ];
        WiscaProcess.Run(command);
        string text = File.ReadAllText(folder["out", "report.md"]);
        text.ShouldContain("- **main/model: ");
        text.ShouldContain("4 of 4 runs are finished");
        text.ShouldContain("All runs of a seed began with the same weights.");
        Directory.GetFiles(folder["out", "runs"], "model.safetensors", SearchOption.AllDirectories).Length.ShouldBe(4);

        // Scores that are asked for later are of the models that were kept, and are what wisca eval says.
        Directory.CreateDirectory(folder["data"]);
        File.Copy(folder["text.txt"], folder["more.txt"]);
        File.WriteAllText(
            folder["data", "riddles.yaml"],
            "task: riddles\ndoc_to_choice: [\"{{a}}\", \"{{b}}\"]\ngold: \"0\"\n"
            + "data:\n  - name: mine\n    test: riddles.jsonl\n");
        string Riddle(int i) => $$"""{"a": "the number {{i * 31 % 97}} and", "b": "a number {{i * 17 % 89}} or"}""";
        File.WriteAllLines(folder["data", "riddles.jsonl"], Enumerable.Range(0, 9).Select(Riddle));
        string[] scored =
        [
            .. command, $"scores.texts=[{folder["more.txt"]}]", "scores.tasks=[riddles]", $"scores.data={folder["data"]}",
            $"scores.include={folder["data"]}", "scores.limit=8",
        ];
        Said(scored).Error.ShouldContain("scored 4 of 4: main/model/");
        using var study = new StudyFolder(folder["out"]);
        var results = study.ReadResults().ById.Values.ToList();
        foreach (var result in results) result.Scores.Keys.ShouldBe(["more.txt (bits per byte)", "riddles"]);
        var first = results[0];
        var perplexity = JsonNode.Parse(Said("eval", study.ModelPath(first.Id), "--text", folder["more.txt"], "--json").Output)!;
        double bits = perplexity["bits_per_byte"]!.GetValue<double>();
        first.Scores["more.txt (bits per byte)"].Value.ShouldBe(bits, Rounding.Of(Rounding.Float32, 500) * bits);
        string[] evaluation =
        [
            "eval", study.ModelPath(first.Id), "--tasks", "riddles", "--data", folder["data"], "--include", folder["data"],
            "--limit", "8", "--json",
        ];
        var tasks = JsonNode.Parse(Said(evaluation).Output)!;
        first.Scores["riddles"].Value.ShouldBe(tasks["results"]!["riddles"]!["acc,none"]!.GetValue<double>());
        first.Scores["riddles"].StandardError.ShouldNotBeNull();
        File.ReadAllText(folder["out", "report.md"]).ShouldContain("Evaluations of the trained models");
        Said(scored).Error.ShouldNotContain("scored");
        Said([.. scored, "scores.limit=9", "--score"]).Error.ShouldContain("scored 4 of 4");

        // Another text of the same name is another text, and what was measured on the first is not compared with it.
        File.AppendAllText(folder["more.txt"], "One more line.");
        string before = first.Scores["more.txt (bits per byte)"].Setting.ShouldNotBeNull();
        Said([.. scored, "scores.limit=9", "--score"]).Error.ShouldContain("scored 4 of 4");
        study.ReadResults().ById[first.Id].Scores["more.txt (bits per byte)"].Setting.ShouldNotBe(before);
        Directory.CreateDirectory(folder["other"]);
        File.Copy(folder["more.txt"], folder["other", "more.txt"]);
        using var twice = WiscaProcess.Start([.. scored, $"scores.texts=[{folder["more.txt"]}, {folder["other", "more.txt"]}]", "--score"]);
        twice.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
        (twice.ExitCode, twice.Error.Contains("two texts are called more.txt", StringComparison.Ordinal)).ShouldBe((1, true), twice.Error);
    }

    private static (string Output, string Error) Said(params string[] args)
    {
        using var process = WiscaProcess.Start(args);
        process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
        process.ExitCode.ShouldBe(0, process.Error);
        return (process.Output, process.Error);
    }

    /// <summary>The worker processes of a study, by what the system knows of them.</summary>
    private static List<int> Workers(TemporaryFolder folder) =>
    [
        .. Directory
            .EnumerateDirectories("/proc")
            .Select(path => int.TryParse(Path.GetFileName(path), out int id) ? id : 0)
            .Where(id =>
            {
                try
                {
                    return id > 0 && File.ReadAllText($"/proc/{id}/cmdline").Contains(folder["out", "work"], StringComparison.Ordinal);
                }
                catch (IOException)
                {
                    return false;
                }
            }),
    ];

    /// <summary>The results without what clocks measured.</summary>
    private static List<string> Numbers(TemporaryFolder folder)
    {
        using var study = new StudyFolder(folder["out"]);
        return
        [
            .. study.ReadResults().ById.Values
                .OrderBy(result => result.Id, StringComparer.Ordinal)
                .Select(result => result with
                {
                    Seconds = 0, ProcessorSeconds = null, Environment = result.Environment with { Finished = default },
                })
                .Select(result => JsonSerializer.Serialize(result)),
        ];
    }
}
