using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>
/// Every command of the program that README and docs show works: each is run, in a folder that holds what the documents name, with a few
/// steps instead of hundreds; or it stands in a table with the reason why not.
/// </summary>
[Collection(nameof(TorchCollection))]
public sealed partial class DocumentedCommandsTests(DocumentedInputs inputs) : IClassFixture<DocumentedInputs>
{
    private static readonly Dictionary<string, string> NotRun = new(StringComparer.Ordinal)
    {
        ["dotnet tool install --global Wisca.Tool"] = "installs the released package",
        ["dotnet add package Wisca.Core"] = "installs the released package",
        ["dotnet add package Wisca.Settings"] = "installs the released package",
        ["dotnet add package Wisca.Data"] = "installs the released package",
        ["dotnet add package Wisca.Torch"] = "installs the released package",
        ["dotnet add package Wisca.Training"] = "installs the released package",
        ["dotnet add package Wisca.Evaluation"] = "installs the released package",
        ["dotnet add package Wisca.Comparison"] = "installs the released package",
        ["dotnet add package Wisca.Reporting"] = "installs the released package",
        ["dotnet add package libtorch-cpu-linux-x64 --version 2.10.0"] = "downloads libtorch",
        ["dotnet test --solution Wisca.slnx --configuration Release"] = "is what runs this test",
        ["wisca train, twice: the same small Llama on built-in stories, 300 steps without and with transitions"] =
            "is what the demo prints about its trainings, not a command",
        ["wisca compare --config configs/compare/tinystories.yaml --set ... scores='{ tasks: [blimp], data: DATA, limit: 50, "
            + "texts: [wikitext2.test.first300k.txt] }' --score"] = "scores the trained models of a study of several days",
    };

    // What a name of the documents means, where it is not simply the name of one of the inputs; by verb, "" for any.
    private static readonly (string Verb, string Name, string Stands)[] Stands =
    [
        ("", "/tmp/wisca-demo-x/model", "MODEL"),
        ("", "/tmp/wisca-demo-x/balanced", "BALANCED"),
        ("", "/tmp/wisca-demo-x/exact", "EXACT"),
        ("", "/tmp/wisca-demo-x/undone", "undone"),
        ("", "models/TinyStories-656K", "MODEL"),
        ("", "TinyStories-656K", "MODEL"),
        ("eval", "FOLDER", "DATA"),
        ("undo", "ADAPTER", "MOVED"),                         // one that has a wisca.json
        ("express", "ADAPTER", "MOVED"),
        ("finetune", "FILE", "finetune.yaml"),
        ("finetune", "auto|PATH|never", "never"),
        ("flatness", "qk|vo", "vo"),
        ("flatness", "L", "1"),
        ("rescale", "0-3,8,30-", "0-0,1-"),                   // the model has two layers
        ("train", "seed=S", "seed=1"),
        ("train", "precision=P", "precision=bf16"),
    ];

    // What makes a command small; the program takes the last of several settings. By the words that a command has.
    private static readonly (string[] Words, string[] Added)[] Smaller =
    [
        (
            ["train"],
            ["--set", "steps=2", "batch_size=1", "threads=1", "tokenizer.source=bytes", "data.sequence_length=16", "schedule.warmup=1",
                "evaluation.tokens=64", "evaluation.samples.every=0",
                "model.config={model_type: llama, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 4}"]),
        (["train", "configs/stories-demo.yaml"], ["--set", "data.stories=60", "data.held_out=0.2"]),
        (
            ["finetune"],
            ["--set", "steps=2", "batch_size=1", "accumulation=1", "threads=1", "data.held_out=0.2", "data.sequence_length=256",
                "schedule.warmup=1", "evaluation.tokens=64"]),
        (["finetune", "configs/finetune-lora.yaml"], ["--set", "epochs=1"]),
        (
            ["compare", "my-question.yaml"],
            ["--set", "training.steps=2", "training.batch_size=1", "training.evaluation.tokens=64", "training.tokenizer.source=bytes",
                "training.data.sequence_length=16", "seeds=[1]", "learning_rates=[1e-3]"]),
        (["compare", "STUDY.yaml", "--workers"], ["--set", "training.steps=2", "seeds=[1,2,3]"]),
        (
            ["compare", "configs/compare/stories.yaml"],
            ["--set", "training.steps=2", "training.batch_size=1", "training.evaluation.tokens=64", "training.data.stories=60",
                "training.data.held_out=0.2", "seeds=[1]", "learning_rates=[1e-3]"]),
        (["compare", "configs/compare/finetune.yaml"], ["--dry-run"]),
        (["compare", "configs/compare/rotations.yaml"], ["--dry-run"]),
        (["compare", "configs/compare/vocabularies.yaml"], ["--dry-run", "--set", "models.published.tokenizer={ source: bytes }"]),
        (["compare", "configs/compare/lora-rotations.yaml"], ["--dry-run"]),
        (["compare", "configs/compare/second.yaml"], ["--dry-run"]),
        (["compare", "configs/compare/tinystories.yaml"], ["--dry-run"]),
        (["compare", "configs/compare/tinystories-1m.yaml"], ["--dry-run"]),
        (["make-tasks", "rest.txt"], ["--items", "8"]),
        (["eval", "--text"], ["--limit", "1", "--threads", "1"]),
        (["eval", "--tasks"], ["--limit", "1", "--threads", "1"]),
        (["generate"], ["--max-tokens", "4"]),
        (["demo"], ["--steps", "2"]),
        (
            ["flatness"],
            ["--tokens", "64", "--sequence-length", "32", "--trace-probes", "2", "--lanczos-steps", "3", "--points", "3"]),
        (["flatness", "--orbit"], ["--orbit-range", "1", "--orbit-probes", "2"]),
    ];

    public static TheoryData<string> Run =>
        [.. ShownCommand.All().Select(command => command.Text).Where(text => !NotRun.ContainsKey(text)).Distinct(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Run))]
    public async Task Command_AsDocumented_Works(string command)
    {
        string[] arguments = Arguments(new ShownCommand("", command));
        using var folder = inputs.Copy();

        // What trains is the first to do so: there is nothing to resume.
        if (arguments[0] is "train" or "finetune") Directory.Delete(folder["runs"], recursive: true);
        foreach (var (option, value) in arguments.Zip(arguments.Skip(1)))
        {
            // The inputs hold what other commands read of it.
            if (option is "--out" or "--adapter-out" && Directory.Exists(folder[value])) Directory.Delete(folder[value], recursive: true);
        }

        var run = await DocumentedInputs.RunAsync(folder, arguments);
        run.ExitCode.ShouldBe(0, $"{string.Join(' ', arguments)}\n{run.Error}");
    }

    [Fact]
    public void NotRun_EveryCommand_IsStillShown() =>
        NotRun.Keys.Except(ShownCommand.All().Select(command => command.Text)).ShouldBeEmpty("no document shows it any more");

    [Fact]
    public void Stands_EveryName_IsStillShown()
    {
        var commands = ShownCommand.All().ToList();
        foreach (var (verb, name, _) in Stands)
        {
            commands.ShouldContain(
                command => (verb == "" || command.Words[1] == verb) && Name(name).IsMatch(command.Text), $"{verb} {name}");
        }

        foreach (var (words, _) in Smaller)
            commands.ShouldContain(command => words.All(command.Words.Contains), string.Join(' ', words));
    }

    [Fact]
    public void Of_Markdown_FindsCommandsOfCodeBlocks() =>
        ShownCommand
            .Of(
                "a.md",
                "wisca no\n\n```\n./wisca a 'b c'   # d\n$ wisca e \\\n  \"f=g h\" > i\nprints wisca\nwisca (j)\n```\n`wisca k`\n\n"
                + "  ```bash\n  wisca l | m\n  ```\n")
            .Select(command => string.Join(',', command.Words))
            .ShouldBe(["wisca,a,b c", "wisca,e,f=g h", "wisca,l"]);

    private static string[] Arguments(ShownCommand command)
    {
        List<string> words = [.. command.Words.Skip(1)];
        string verb = words[0];
        foreach (var (_, name, stands) in Stands.Where(entry => entry.Verb == "" || entry.Verb == verb))
            words = [.. words.Select(word => Name(name).Replace(word, stands))];
        if (words.IndexOf("GRIDS") is var at and >= 0) words[at] = Grids();

        // An option that the command has, but for settings, stays as it is shown.
        foreach (var (_, added) in Smaller.Where(entry => entry.Words.All(words.Contains)).ToList())
        {
            if (added[0] == "--set" || added.Length < 2) words.AddRange(added);
            else
                foreach (string[] option in added.Chunk(2).Where(option => !words.Contains(option[0]))) words.AddRange(option);
        }

        return [.. words];
    }

    /// <summary>What docs/results.md says that GRIDS is short for.</summary>
    private static string Grids() =>
        GridsText().Match(TestRepository.ReadText("docs", "results.md").ReplaceLineEndings(" ")).Groups[1].Value;

    private static Regex Name(string name) => new($@"(?<![\w./|-]){Regex.Escape(name)}(?![\w./|-])");

    [GeneratedRegex("`GRIDS` for short being `(grids=[^`]*)`")]
    private static partial Regex GridsText();
}
