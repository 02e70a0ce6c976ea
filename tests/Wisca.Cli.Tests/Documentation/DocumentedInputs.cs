using System.IO.Compression;
using System.Text.RegularExpressions;
using Wisca.Checkpoints;
using Wisca.Data.Corpora.Stories;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;
using Wisca.Torch.Models;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>What documented commands name, under the names they give it: made once, and copied for each of them.</summary>
public sealed class DocumentedInputs : IAsyncLifetime
{
    // What commands write into, below the name of an input; all other inputs are only read.
    private static readonly string[] Written = ["runs", "big", "results"];

    private static readonly string[] Texts =
    [
        "TEXT", "FILE", "valid.txt", "valid.first220.txt", "stories.txt", "wiki.test.raw", "my-text.txt", "texts/a.txt", "stories/a.txt",
        "tinystories/train.txt", "tinystories/valid.txt", "tinystories/valid.first220.txt",
    ];

    private static readonly string[] Questions =
        ["alpaca.json", "finetune/alpaca/alpaca_cleaned_first5000.json", "finetune/gsm8k/train.jsonl", "metamath.jsonl", "q.jsonl"];

    // One invented question a task, in the form that its official files have.
    private static readonly (string File, string Line)[] Tasks =
    [
        ("boolq/val.jsonl", """{"passage": "A wren is a bird.", "question": "is a wren a bird", "label": 1}"""),
        ("piqa/validation.jsonl", """{"goal": "dry a coat", "sol1": "hang it up", "sol2": "bury it", "label": 0}"""),
        ("piqa/train.jsonl", """{"goal": "open a door", "sol1": "turn the knob", "sol2": "eat it", "label": 0}"""),
        ("winogrande/dev.jsonl", """{"sentence": "Ann met Eve and _ smiled.", "option1": "Ann", "option2": "Eve", "answer": "1"}"""),
        ("copa/val.jsonl", """{"premise": "Rain.", "choice1": "I got wet.", "choice2": "I sang.", "question": "effect", "label": 0}"""),
        ("lambada_openai/test.jsonl", """{"text": "the fox ran up the hill"}"""),
        (
            "wsc273/test.jsonl",
            """{"text": "Ann met Eve; she smiled.", "pronoun": "she", "pronoun_loc": 13, "options": ["Ann", "Eve"], "label": 0}"""),
        .. ((string[])["arc_easy/test", "arc_easy/train", "arc_challenge/test", "arc_challenge/train", "openbookqa/test"]).Select(file => (
            file + ".jsonl",
            """
            {"question": "What flies?", "question_stem": "What flies?", "answerKey": "A",
            "choices": {"text": ["a wren", "a fox"], "label": ["A", "B"]}}
            """.ReplaceLineEndings(" "))),
        .. Regex
            .Matches(
                TestRepository.ReadText("src", "Wisca.Evaluation", "Tasks", "Definitions", "blimp.yaml"),
                @"^ {4}(\w+)[,\]]",
                RegexOptions.Multiline)
            .Select(match => (
                $"blimp/{match.Groups[1].Value}.jsonl", """{"sentence_good": "The fox runs.", "sentence_bad": "The fox run."}""")),
    ];

    private readonly TemporaryFolder _folder = new();

    /// <summary>A folder for one command, where it finds them all.</summary>
    internal TemporaryFolder Copy()
    {
        var copy = new TemporaryFolder();
        foreach (string name in Directory.EnumerateFileSystemEntries(_folder.FullPath).Select(path => Path.GetFileName(path)))
        {
            if (Written.Contains(name)) Copy(_folder[name], copy[name]);
            else if (Directory.Exists(_folder[name])) Directory.CreateSymbolicLink(copy[name], _folder[name]);
            else File.CreateSymbolicLink(copy[name], _folder[name]);
        }

        return copy;
    }

    public async ValueTask InitializeAsync()
    {
        string stories = string.Concat(Enumerable.Range(1, 300).Select(i => $"The fox ran up hill {i}. It was red.\n<|endoftext|>\n"));
        foreach (string text in Texts) Write(text, stories);
        Directory.CreateDirectory(_folder["more", "deep"]);
        await using (var packed = new GZipStream(File.Create(_folder["more", "deep", "a.jsonl.gz"]), CompressionLevel.Fastest))
            packed.Write("""{"content": "The fox."}"""u8);
        Write("pages/a.jsonl", """{"page": "The well @-@ known fox ."}""");
        foreach (string file in Questions) Write(file, Examples(Path.GetExtension(file)));
        foreach (var (file, line) in Tasks) Write($"DATA/{file}", string.Concat(Enumerable.Repeat(line + "\n", 8)));
        foreach (string config in Directory.EnumerateFiles(TestRepository.PathOf("configs"), "*.yaml", SearchOption.AllDirectories))
            Write(Path.GetRelativePath(TestRepository.PathOf(), config), File.ReadAllText(config));

        foreach (var (seed, name) in ((string[])["held-out-stories.txt", "rest.txt", "extra.nosep.txt"]).Index())
            Write(name, string.Join("\n\n", new StoryGenerator((ulong)seed).Stories().Take(300)).Replace("\n", "\n\n"));
        foreach (string study in Directory.EnumerateDirectories(TestRepository.PathOf("results")))
            Write($"results/{Path.GetFileName(study)}/study.json", File.ReadAllText(Path.Combine(study, "study.json")));

        // What documents say that a reader writes.
        Write("my-tasks/riddles.yaml", Block("adding-a-task.md", "task: riddles"));
        foreach (string data in (string[])["data", "DATA"]) Write($"{data}/riddles/test.jsonl", Block("adding-a-task.md", "{\"riddle\""));
        Write("my-question.yaml", Block("comparing.md", "output: runs/my-question"));
        Write("my-model.json", Config(64));

        Model("MODEL", 1);
        Model("OTHER", 2);
        var demo = TrainingConfig.Load(TestRepository.PathOf("configs", "stories-demo.yaml"));
        string[] models = ["BASE", "MERGED", "base", "big/checkpoints/step-000001", RunFolder.CheckpointPath(demo.Output, demo.Steps)];
        foreach (string name in models)
            Copy(_folder["MODEL"], _folder[name]);
        await RunAsync("rescale", "MODEL", "--out", "BALANCED");
        foreach (string name in (string[])["story-tasks", "tasks"])
            await RunAsync("make-tasks", "held-out-stories.txt", "--out", name, "--items", "8");
        await RunAsync("rescale", "MODEL", "--out", "EXACT", "--qk", "kv-head", "--vo", "kv-head", "--round", "pow2");
        await RunAsync("rotate", "MODEL", "--out", "ROTATED");
        Write("finetune.yaml", "steps: 1\nbatch_size: 1\nthreads: 1\nbase: { model: MODEL }\noutput: adapters\nwisca: { preset: origin }\n"
            + "data: { train: [alpaca.json], sequence_length: 256 }\nevaluation: { tokens: 64 }\n");
        await RunAsync("finetune", "--config", "finetune.yaml");
        foreach (string name in (string[])["ADAPTER", RunFolder.CheckpointPath(new FinetuneConfig().Output, 500)])
            Copy(RunFolder.CheckpointPath(_folder["adapters"], 1), _folder[name]);
        await RunAsync("rescale", "BASE", "--out", "RESCALED", "--adapter", "ADAPTER", "--adapter-out", "MOVED");
        await RunAsync("rotate", "BASE", "--out", "TURNED-BASE", "--adapter", "ADAPTER", "--adapter-out", "TURNED");
        Write("STUDY.yaml", $$"""
            output: runs/my-study
            seeds: [1, 2]
            learning_rates: [1e-3]
            keep_models: true
            threads: 1
            training:
              steps: 2
              batch_size: 1
              model: { config: {{Config(64).ReplaceLineEndings(" ")}} }
              tokenizer: { source: bytes }
              data: { stories: 60, held_out: 0.2, sequence_length: 16 }
              evaluation: { every: 1, tokens: 64 }
            arms:
              origin: { wisca: { preset: origin } }
              wisca: { wisca: { preset: qk_ten+vo_ten, every: 1 } }
            scores: { texts: [TEXT], limit: 1 }
            """);
        await RunAsync("compare", "--config", "STUDY.yaml");
        foreach (string name in (string[])["runs/my-question", "OTHER-FOLDER"]) Copy(_folder["runs/my-study"], _folder[name]);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Runs the program as if it had been started in a folder.</summary>
    internal static async Task<CommandRun> RunAsync(TemporaryFolder folder, string[] arguments)
    {
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = folder.FullPath;
        try
        {
            return await CommandRun.RunAsync(arguments);
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
    }

    private static string Config(int positions) => $$"""
        {
          "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "max_position_embeddings": {{positions}}, "vocab_size": {{ByteTokenizer.Create().VocabularySize}},
          "eos_token_id": {{ByteTokenizer.EosId}}, "rms_norm_eps": 1e-5
        }
        """;

    /// <summary>The block of code of a document that begins so.</summary>
    private static string Block(string document, string beginning) =>
        TestRepository.ReadText("docs", document).ReplaceLineEndings("\n").Split("```").Select(part => part[(part.IndexOf('\n') + 1)..])
            .Single(part => part.StartsWith(beginning, StringComparison.Ordinal));

    private static string Examples(string extension)
    {
        string[] lines =
        [
            .. Enumerable.Range(0, 40).Select(i => $$"""
                {"instruction": "item {{i}}", "input": "", "output": "red", "question": "item {{i}}", "answer": "red",
                "prompt": "item {{i}}", "completion": "red"}
                """.ReplaceLineEndings(" ")),
        ];
        return extension == ".json" ? $"[{string.Join(",\n", lines)}]" : string.Join('\n', lines);
    }

    private static void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private void Model(string name, ulong seed)
    {
        using var model = Decoder.Create(
            DecoderConfig.From(ModelConfig.Parse(Config(256))), seed, new InitializationOptions { StandardDeviation = 0.2 });
        model.Save(_folder[name]);
        ByteTokenizer.Create().Save(_folder[name]);
    }

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllText(_folder[name], text);
    }

    private async Task RunAsync(params string[] arguments)
    {
        var run = await RunAsync(_folder, arguments);
        run.ExitCode.ShouldBe(0, $"{string.Join(' ', arguments)}\n{run.Error}");
    }
}
