using System.Text.RegularExpressions;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Settings;
using Wisca.Tests;

namespace Wisca.Evaluation.Tests.Tasks.Definitions;

public sealed partial class TaskCatalogueTests
{
    private const string Good = """
        task: birds
        doc_to_text: "{{q}}"
        doc_to_choice: ["yes", "no"]
        gold: "{{a}}"
        data:
          - name: mine
            test: birds.jsonl
        """;

    [Fact]
    public void Load_BuiltIn_HasTheTasksOfTheIssueInTheirVersions()
    {
        var catalogue = TaskCatalogue.Load();
        catalogue.Tasks.Count.ShouldBe(12 + 67);
        (string, double)[] versions =
        [
            ("boolq", 2), ("arc_easy", 1), ("arc_challenge", 1), ("piqa", 1), ("winogrande", 1), ("openbookqa", 1), ("copa", 1),
            ("social_iqa", 0), ("lambada_openai", 1), ("wsc273", 1), ("hellaswag", 1), ("sciq", 1), ("blimp_causative", 1),
        ];
        foreach (var (name, version) in versions) catalogue.Tasks[name].Version.ShouldBe(version, name);
        catalogue.Groups["blimp"].Tasks.Count.ShouldBe(67);
        catalogue.Groups["blimp"].WeightBySize.ShouldBeFalse();
    }

    [Fact]
    public void Select_NamesGroupsAndPatterns_EachTaskOnce()
    {
        var catalogue = TaskCatalogue.Load();
        catalogue
            .Select(["copa", "arc_*", "arc_easy"])
            .Tasks.Select(task => task.Task)
            .ShouldBe(["copa", "arc_challenge", "arc_easy"], ignoreOrder: true);
        var all = catalogue.Select(["blimp_causative", "blimp"]);
        all.Tasks.Count.ShouldBe(67);
        all.Groups.ShouldHaveSingleItem();
        Should.Throw<WiscaException>(() => catalogue.Select(["bolq"])).Message.ShouldBe("no task is called 'bolq'");
        Should.Throw<WiscaException>(() => catalogue.Select(["x*"])).Message.ShouldBe("no task is called 'x*'");
    }

    [Theory]
    [InlineData("gold:", "goldd:", "goldd: unknown key (did you mean 'gold'?)")]
    [InlineData("\"{{q}}\"", "\"{{q\"", "'{{' without '}}'")]
    [InlineData("\"{{a}}\"", "\"{{a | shout}}\"", "no filter is called 'shout'")]
    [InlineData("[\"yes\", \"no\"]", "[]", "is missing, expected choices and gold")]
    [InlineData("test: birds.jsonl", "train: birds.jsonl", "names no file of the split that is evaluated")]
    [InlineData("task: birds", "task: birds\nmetrics: [perplexity]", "perplexity is not defined for this output_type")]
    [InlineData("task: birds", "task: birds\nmetrics: []", "an empty list")]
    [InlineData("task: birds", "task: birds\noutput_type: partial", "expected none: in partial scoring")]
    [InlineData("task: birds", "task: birds\noutput_type: loglikelihood", "is missing, expected a template")]
    [InlineData("task: birds", "task: birds\ndoc_to_target: x", "is given, expected none")]
    [InlineData("task: birds", "task: birds_{member}", "go together")]
    [InlineData("task: birds", "task: b i", "expected letters, digits")]
    [InlineData("task: birds", "about: nothing", "task: missing")]
    [InlineData("name: mine", "name: mine\n    process: bake", "expected one of none, hellaswag")]
    [InlineData("name: mine", "name: mine\n    gold: \"{{\"", "'{{' without '}}'")]
    public void Load_WrongDefinition_NamesFileLineAndKey(string old, string replacement, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["birds.yaml"], Good.Replace(old, replacement, StringComparison.Ordinal));
        var exception = Should.Throw<WiscaException>(() => TaskCatalogue.Load(folder.FullPath));
        string all = string.Join('\n', [exception.Message, .. exception.Details]);
        all.ShouldContain(expected);
        all.ShouldMatch(@"birds\.yaml(:| has)");
        exception.Hint.ShouldBe("docs/adding-a-task.md says what a task's file holds");
    }

    [Fact]
    public void Load_SameNameTwice_IsAnErrorButABuiltInOneIsReplaced()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.yaml"], Good.Replace("birds\n", "piqa\n", StringComparison.Ordinal));
        TaskCatalogue.Load(folder.FullPath).Tasks["piqa"].Data[0].Name.ShouldBe("mine");
        File.WriteAllText(folder["b.yaml"], Good.Replace("birds\n", "piqa\n", StringComparison.Ordinal));
        Should
            .Throw<WiscaException>(() => TaskCatalogue.Load(folder.FullPath))
            .Message.ShouldContain("b.yaml: a task is called 'piqa' for the second time");
        Should.Throw<WiscaException>(() => TaskCatalogue.Load(folder["nowhere"])).Message.ShouldContain("is no folder");
    }

    [Fact]
    public void Document_WorkedExample_RunsAsItSays()
    {
        string document = TestRepository.ReadText("docs", "adding-a-task.md");
        string definition = Block()
            .Matches(document)
            .Single(match =>
                match.Groups["kind"].Value == "yaml" && match.Groups["text"].Value.StartsWith("task: riddles", StringComparison.Ordinal))
            .Groups["text"]
            .Value;
        string data = Block().Matches(document).First(match => match.Groups["kind"].Value == "json").Groups["text"].Value;
        string prompt = Block().Matches(document).First(match => match.Groups["kind"].Value == "text").Groups["text"].Value;
        using var include = new TemporaryFolder();
        File.WriteAllText(include["riddles.yaml"], definition);
        using var folder = new TaskFolder().With("riddles/test.jsonl", data);
        var run = folder.Run("riddles", request => request.Continuation.Length, include: include.FullPath);
        var outcome = run.Tasks.ShouldHaveSingleItem();
        outcome.Failure.ShouldBeNull();
        var item = outcome.Scores[0].Item;
        string.Join('\n', item.Requests.Select(request => $"{request.Context}[{request.Continuation}]")).ShouldBe(prompt.TrimEnd());
        outcome.Metrics.Select(metric => metric.Metric).ShouldBe([TaskMetric.Accuracy, TaskMetric.NormalizedAccuracy]);
    }

    [Fact]
    public void Document_KeysFiltersAndProcesses_AreAllDescribed()
    {
        string document = TestRepository.ReadText("docs", "adding-a-task.md");
        foreach (
            string name in (string[])[.. TemplateFilter.Known.Keys, .. Enum.GetValues<DocumentProcess>().Select(process => process.Name())])
            document.ShouldContain($"`{name}");
        string[] keys =
        [
            .. new[] { typeof(TaskDefinition), typeof(TaskDataSection), typeof(TaskGroupSection) }
                .SelectMany(type => type.GetProperties())
                .Where(property => property.IsDefined(typeof(SettingAttribute), false))
                .Select(property => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)),
        ];
        foreach (string key in keys) document.ShouldContain($"`{key}`");
    }

    [GeneratedRegex(@"```(?<kind>\w+)\n(?<text>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Block();
}
