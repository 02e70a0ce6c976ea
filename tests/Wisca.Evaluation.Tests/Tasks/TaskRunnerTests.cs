using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tests.Tasks;

public sealed class TaskRunnerTests
{
    [Fact]
    public void Run_MultipleChoice_TakesTheMostProbableAndPerCharacter()
    {
        // By sum the short wrong choice wins, by characters the long right one; an owl is one code point, two UTF-16 units.
        using var folder = new TaskFolder().With(
            "piqa/validation.jsonl",
            """{"goal": "a", "sol1": "no", "sol2": "by all means", "label": 1}""",
            """{"goal": "b", "sol1": "yes", "sol2": "no", "label": 0}""",
            """{"goal": "c", "sol1": "🦉🦉🦉🦉", "sol2": "owls!", "label": 0}""");
        var run = folder.Run("piqa", request => request.Continuation switch
        {
            " no" => -4,
            " by all means" => -6,
            " yes" => -4,
            " 🦉🦉🦉🦉" => -5,
            " owls!" => -7.5,
            _ => throw new ArgumentOutOfRangeException(nameof(request)),
        });
        var outcome = run.Tasks.ShouldHaveSingleItem();

        // b: -4/3 beats -4/2, and equal sums go to the first. c: -5/4 beats -7.5/5, but -5/8 of UTF-16 units would too;
        // -7.5/5 against code points is the point.
        outcome.Scores.Select(score => score.Values[0]).ShouldBe([0, 1, 1]);
        outcome.Scores.Select(score => score.Values[1]).ShouldBe([1, 1, 1]);
        outcome.Metrics.Select(metric => metric.Metric).ShouldBe([TaskMetric.Accuracy, TaskMetric.NormalizedAccuracy]);
        outcome.Metrics[0].Value.ShouldBe(2 / 3.0, 1e-15);
        outcome.Metrics[0].StandardError!.Value.ShouldBe(1 / 3.0, 1e-15);
    }

    [Fact]
    public void Run_LengthOfAChoice_CountsCodePoints()
    {
        // -4/4 against -5/6: the second; by UTF-16 units -4/8 would win.
        using var folder = new TaskFolder().With(
            "piqa/validation.jsonl",
            """{"goal": "c", "sol1": "🦉🦉🦉🦉", "sol2": "sparow", "label": 1}""");
        folder.Run("piqa", request => request.Continuation == " sparow" ? -5 : -4).Tasks[0].Scores[0].Values.ShouldBe([0, 1]);
    }

    [Fact]
    public void Run_Partial_ComparesContexts()
    {
        using var folder = new TaskFolder().With(
            "winogrande/dev.jsonl",
            """{"sentence": "Ann met Bo and _ sang.", "option1": "Ann", "option2": "Bo", "answer": "2"}""");
        folder
            .Run("winogrande", request => request.Context.EndsWith("Bo", StringComparison.Ordinal) ? -1 : -2)
            .Tasks[0]
            .Metrics[0]
            .Value.ShouldBe(1);
        folder
            .Run("winogrande", request => request.Context.EndsWith("Bo", StringComparison.Ordinal) ? -3 : -2)
            .Tasks[0]
            .Metrics[0]
            .Value.ShouldBe(0);
    }

    [Fact]
    public void Run_LogLikelihood_PerplexityAndGreedyAccuracy()
    {
        using var folder = new TaskFolder().With("lambada_openai/test.jsonl", """{"text": "a b"}""", """{"text": "a c"}""");
        var metrics = folder.Run("lambada_openai", request => request.Continuation == " b" ? -0.5 : -2.5).Tasks[0].Metrics;
        metrics[0].Value.ShouldBe(Math.Exp(1.5), 1e-12);
        metrics[0].StandardError!.Value.ShouldBeGreaterThan(0);
        metrics[1].Value.ShouldBe(0.5);
    }

    [Fact]
    public void Run_Group_MeanOfTasksAndPooledError()
    {
        using var folder = new TaskFolder();
        foreach (var task in TaskCatalogue.Load().Groups["blimp"].Tasks)
            folder.With(
                task.Data[0].Validation[0], """{"sentence_good": "a", "sentence_bad": "b"}""",
                """{"sentence_good": "c", "sentence_bad": "d"}""");
        folder.With("blimp/causative.jsonl", """{"sentence_good": "b", "sentence_bad": "a"}""");
        var run = folder.Run("blimp", request => -request.Continuation[1]);
        run.Tasks.Count.ShouldBe(67);
        var group = run.Groups.ShouldHaveSingleItem();
        group.Documents.ShouldBe(133);
        group.Metrics[0].Value.ShouldBe(66 / 67.0, 1e-12);

        // One document has no standard error, so the group has none.
        group.Metrics[0].StandardError.ShouldBeNull();
        folder.With(
            "blimp/causative.jsonl", """{"sentence_good": "b", "sentence_bad": "a"}""", """{"sentence_good": "a", "sentence_bad": "b"}""");
        group = folder.Run("blimp", request => -request.Continuation[1]).Groups[0];
        group.Metrics[0].Value.ShouldBe(66.5 / 67, 1e-12);

        // 66 tasks with error 0 and one with 1/2: pooled variance (2 - 1) x 2 x 1/4 over 134 - 67, over 134.
        group.Metrics[0].StandardError!.Value.ShouldBe(Math.Sqrt(0.5 / 67 / 134), 1e-12);
    }

    [Fact]
    public void Run_Limit_TakesTheFirst()
    {
        using var folder = new TaskFolder().With(
            "sciq/test.jsonl",
            [
                .. Enumerable
                    .Range(0, 5)
                    .Select(number =>
                        $$"""{"support": "", "question": "{{number}}", "distractor1": "a", "distractor2": "b", "distractor3": "c","""
                        + """ "correct_answer": "d"}"""),
            ]);
        var loaded = folder.Load("sciq", new TaskOptions { Limit = 2 });
        loaded.Items.Select(item => item.Requests[0].Context).ShouldBe(["\nQuestion: 0\nAnswer:", "\nQuestion: 1\nAnswer:"]);
        loaded.Documents.ShouldBe(5);
        folder.Load("sciq", new TaskOptions { Limit = 9 }).Items.Count.ShouldBe(5);
    }

    [Theory]
    [InlineData("arc_easy", "no data in")]
    [InlineData("piqa", "valid-labels.lst has 1 labels, expected 2")]
    [InlineData("copa", "val.jsonl:2: the gold label is 2, expected 0 to 1")]
    [InlineData("winogrande", "dev.jsonl:1: the text has no '_'")]
    [InlineData("openbookqa", "test.jsonl:1: the gold label 'E' is none of A, B")]
    [InlineData("social_iqa", "dev.jsonl:1: the gold label is -1, expected 0 to 2")]
    [InlineData("sciq", "test.jsonl:1: the continuation is empty")]
    [InlineData("lambada_openai", "test.jsonl:1: the continuation is empty")]
    [InlineData("hellaswag", "hellaswag_val.jsonl:3: not valid JSON")]
    [InlineData("wsc273", "test.jsonl:1: the field 'pronoun_loc' is '99'")]
    [InlineData("boolq", "boolq.jsonl:1: the field 'query' has another form")]
    [InlineData("arc_challenge", "ARC-Challenge-Test.jsonl: item 1: no JSON object")]
    [InlineData("blimp_causative", "causative.jsonl is empty")]
    [InlineData("blimp_transitive", "transitive.jsonl:1: the field 'sentence_bad' is missing")]
    [InlineData("blimp_passive_1", "passive_1.jsonl:1: an object names a key twice")]
    [InlineData("blimp_passive_2", "passive_2.jsonl:1: a text that escapes half a surrogate pair")]
    [InlineData("blimp_wh_island", "the log-likelihood of document 0 is not a number")]
    public void Run_BadTask_OneClearLineAndTheOthersStillRun(string bad, string expected)
    {
        using var folder = new TaskFolder()
            .With("piqa/valid.jsonl", """{"goal": "a", "sol1": "b", "sol2": "c"}""", """{"goal": "a", "sol1": "b", "sol2": "c"}""")
            .With("piqa/valid-labels.lst", "1")
            .With("COPA/val.jsonl", Copa(1), Copa(2))
            .With("winogrande/dev.jsonl", """{"sentence": "no gap", "option1": "a", "option2": "b", "answer": "1"}""")
            .With(
                "openbookqa/test.jsonl",
                """{"question_stem": "a", "choices": {"text": ["b", "c"], "label": ["A", "B"]}, "answerKey": "E"}""")
            .With("social_iqa/dev.jsonl", """{"context": "a", "question": "b", "answerA": "c", "answerB": "d", "answerC": "e"}""")
            .With("social_iqa/dev-labels.lst", "0")
            .With(
                "sciq/test.jsonl",
                """{"support": "a", "question": "b", "distractor1": "c", "distractor2": " ", "distractor3": "d", "correct_answer": "e"}""")
            .With("lambada_openai/test.jsonl", """{"text": "ends with a space "}""")
            .With("hellaswag_val.jsonl", HellaSwag, "", """{"activity_label": """)
            .With("wsc273/test.jsonl", """{"text": "a b c", "pronoun": "b", "pronoun_loc": 99, "options": ["a", "c"], "label": 0}""")
            .With("llm-foundry/boolq.jsonl", """{"query": "Is it so?", "gold": 0}""")
            .With("ARC-Challenge-Test.jsonl", "[1]")
            .With("blimp/causative.jsonl")
            .With("blimp/transitive.jsonl", """{"sentence_good": "a"}""")
            .With("blimp/passive_1.jsonl", """{"sentence_good": "a", "sentence_good": "b"}""")
            .With("blimp/passive_2.jsonl", """{"sentence_good": "\ud800", "sentence_bad": "b"}""")
            .With("blimp/wh_island.jsonl", """{"sentence_good": "NaN", "sentence_bad": "b"}""")
            .With("blimp/inchoative.jsonl", """{"sentence_good": "a", "sentence_bad": "b"}""")
            .With("blimp/drop_argument.jsonl", """{"sentence_good": "a", "sentence_bad": "b"}""");
        var run = folder.Run(
            $"blimp_inchoative,{bad},blimp_drop_argument",
            request => request.Continuation == " NaN" ? double.NaN : -request.Continuation[1]);
        var failed = run.Failed.ShouldHaveSingleItem();
        failed.Definition.Task.ShouldBe(bad);
        failed.Failure.ShouldNotBeNull().Message.ShouldContain(expected);
        failed.Failure.Hint.ShouldNotBeNullOrEmpty();
        run.Tasks.Where(task => task.Failure is null).Select(task => task.Metrics[0].Value).ShouldBe([1, 1]);

        static string Copa(int label) =>
            $$"""{"premise": "It rained.", "choice1": "We sang.", "choice2": "I slept.", "question": "effect", "label": {{label}}}""";
    }

    private const string HellaSwag = """{"activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": ["d", "e"], "label": 0}""";

    [Fact]
    public void Run_MemberOfAGroupFails_TheGroupHasNoMean()
    {
        using var folder = new TaskFolder().With("blimp/causative.jsonl", """{"sentence_good": "a", "sentence_bad": "b"}""");
        var run = folder.Run("blimp", _ => -1);
        run.Failed.Count().ShouldBe(66);
        run.Groups[0].Metrics.ShouldBeEmpty();
        TaskReport.Table(run).ShouldNotContain(line => line.StartsWith("|blimp ", StringComparison.Ordinal));
    }

    [Fact]
    public void Run_NoDataFolder_IsAnError() =>
        Should
            .Throw<WiscaException>(() =>
                new TaskRunner(new TaskFolder.MadeScorer(_ => 0), "/nowhere/at/all", new TaskOptions()).Run(
                    TaskCatalogue.Load().Select(["piqa"])))
            .Message.ShouldContain("/nowhere/at/all does not exist");

    [Fact]
    public void Report_Run_HasTheHarnessesSchema()
    {
        using var folder = new TaskFolder()
            .With("lambada_openai/test.jsonl", """{"text": "a b"}""", """{"text": "a c"}""", """{"text": "a b"}""")
            .With("piqa/validation.jsonl", """{"goal": "a", "sol1": "b", "sol2": "cc", "label": 1}""");
        foreach (var task in TaskCatalogue.Load().Groups["blimp"].Tasks)
            folder.With(
                task.Data[0].Validation[0], """{"sentence_good": "a", "sentence_bad": "b"}""",
                """{"sentence_good": "c", "sentence_bad": "d"}""");
        var run = folder.Run(
            "piqa,lambada_openai,blimp,arc_easy", request => -request.Continuation[1] / 100.0,
            new TaskOptions { BootstrapIterations = 100, Limit = 2 });
        var json = TaskReport.ToJson(
            run, new JsonObject { ["model"] = "made" }, DateTimeOffset.FromUnixTimeSeconds(1700000000), TimeSpan.FromSeconds(2));
        string[] keys =
        [
            "results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config", "date",
        ];
        foreach (string key in keys) json.ContainsKey(key).ShouldBeTrue(key);
        json["results"]!["piqa"]!
            .ToJsonString()
            .ShouldBe("""{"alias":"piqa","acc,none":0,"acc_stderr,none":"N/A","acc_norm,none":1,"acc_norm_stderr,none":"N/A"}""");
        var lambada = json["results"]!["lambada_openai"]!;
        ((double)lambada["perplexity,none"]!).ShouldBe(Math.Exp(0.985), 1e-12);
        ((double)lambada["acc_stderr,none"]!).ShouldBe(0);
        json["results"]!["blimp"]!["alias"]!.GetValue<string>().ShouldBe("blimp");
        json["results"]!["blimp_causative"]!["alias"]!.GetValue<string>().ShouldBe(" - blimp_causative");
        json["groups"]!.AsObject().Select(group => group.Key).ShouldBe(["blimp"]);
        json["group_subtasks"]!["blimp"]!.AsArray().Count.ShouldBe(67);
        json["group_subtasks"]!["piqa"]!.AsArray().ShouldBeEmpty();
        json["versions"]!["piqa"]!.ToJsonString().ShouldBe("1.0");
        json["versions"]!["blimp"]!.ToJsonString().ShouldBe("2.0");
        json["n-shot"]!["piqa"]!.GetValue<int>().ShouldBe(0);
        json["n-samples"]!["lambada_openai"]!.ToJsonString().ShouldBe("""{"original":3,"effective":2}""");
        json["higher_is_better"]!["lambada_openai"]!.ToJsonString().ShouldBe("""{"perplexity":false,"acc":true}""");
        json["configs"]!["piqa"]!["doc_to_text"]!.GetValue<string>().ShouldBe("Question: {{goal}}\nAnswer:");
        json["configs"]!["piqa"]!["metadata"]!["files"]!.AsObject().ShouldHaveSingleItem();
        json["failures"]!["arc_easy"]!.GetValue<string>().ShouldContain("no data in");
        ((double)json["date"]!).ShouldBe(1700000000);

        var table = TaskReport.Table(run);
        table[0].ShouldMatch(@"^\|Tasks +\|Version\|Filter\|n-shot\|Metric +\|   \|Value +\|   \|Stderr\|$");
        table.Select(line => line.Length).Distinct().ShouldHaveSingleItem();
        table.ShouldContain(line =>
            line.StartsWith("|piqa ", StringComparison.Ordinal) && line.Contains("|acc       |↑  |0.0000|", StringComparison.Ordinal));
        table.ShouldContain(line => line.Contains("|perplexity|↓  |", StringComparison.Ordinal));
    }

    [Fact]
    public void Samples_Task_HaveTheHarnessesShapeAndHashes()
    {
        using var folder = new TaskFolder().With(
            "COPA/val.jsonl",
            """{"premise": "It rained.", "choice1": "We sang.", "choice2": "I slept.", "question": "effect", "label": 1}""");
        var outcome = folder.Run("copa", request => request.Continuation.Contains("slept", StringComparison.Ordinal) ? -0.5 : -1.25).Tasks[
            0
        ];
        string path = Path.Combine(folder.FullPath, "samples.jsonl");
        TaskSamples.Write(path, outcome, replace: false);
        var sample = JsonNode.Parse(File.ReadAllLines(path).ShouldHaveSingleItem())!;
        sample["doc_id"]!.GetValue<int>().ShouldBe(0);
        sample["doc"]!["premise"]!.GetValue<string>().ShouldBe("It rained.");
        sample["target"]!.GetValue<string>().ShouldBe("1");
        sample["arguments"]!
            .ToJsonString()
            .ShouldBe(
                """{"gen_args_0":{"arg_0":"It rained therefore","arg_1":"  we sang."}"""
                + ""","gen_args_1":{"arg_0":"It rained therefore","arg_1":"  i slept."}}""");
        sample["resps"]!.ToJsonString().ShouldBe("""[[["-1.25","False"]],[["-0.5","True"]]]""");
        sample["filtered_resps"]!.ToJsonString().ShouldBe("""[["-1.25","False"],["-0.5","True"]]""");
        sample["acc"]!.GetValue<double>().ShouldBe(1);

        // echo -n "It rained therefore" | sha256sum, and of "1"
        sample["prompt_hash"]!.GetValue<string>().ShouldBe("16a560b174ef049739cbff534f51907f3d3d7b714a6668767ced3b831a1117ce");
        sample["target_hash"]!.GetValue<string>().ShouldBe("6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
        Should.Throw<WiscaException>(() => TaskSamples.Write(path, outcome, replace: false)).Message.ShouldContain("exists");
        Directory.EnumerateFiles(folder.FullPath).ShouldHaveSingleItem();
    }

    [Fact]
    public void Run_Observer_IsToldOfEachTask()
    {
        using var folder = new TaskFolder().With("blimp/causative.jsonl", """{"sentence_good": "a", "sentence_bad": "b"}""");
        var log = new Log();
        folder.Run("blimp_causative,blimp_passive_1", _ => -1, observer: log);
        log.Lines.ShouldBe(["started blimp_causative 2", "progress blimp_causative 2", "ended blimp_causative", "failed blimp_passive_1"]);
    }

    private sealed class Log : ITaskObserver
    {
        public List<string> Lines { get; } = [];

        public void Started(LoadedTask task, int requests) => Lines.Add($"started {task.Definition.Task} {requests}");

        public void Progressed(LoadedTask task, int done) => Lines.Add($"progress {task.Definition.Task} {done}");

        public void Ended(TaskOutcome outcome) => Lines.Add($"{(outcome.Failure is null ? "ended" : "failed")} {outcome.Definition.Task}");
    }
}
