using System.Text;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Kills;

/// <summary>Every command that writes, with inputs of its own.</summary>
internal static class Subjects
{
    private const string Model = "{model_type: llama, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, "
        + "num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64}";

    public static IReadOnlyList<Subject> Make(TemporaryFolder folder)
    {
        var llama = new SmallLlama { Layers = 6, Hidden = 256, Heads = 4, KvHeads = 2, HeadDim = 64, Shards = 3 };
        llama.Write(folder["model"]);
        (llama with { Seed = 2 }).Write(folder["model2"]);
        SmallAdapter adapter = SmallAdapter.Of(llama) with { Rank = 16 }, other = adapter with { Seed = 9 };
        adapter.Write(folder["adapter"]);
        other.Write(folder["adapter2"]);
        Victim.Run("rescale", folder["model"], "--out", folder["rescaled"]);
        Victim.Run("rescale", folder["model2"], "--out", folder["rescaled2"]);
        string tiny = Trained(folder);
        WriteTexts(folder);
        WriteStudies(folder);

        return
        [
            Replace(
                "rescale", "out",
                ["rescale", folder["model"], "--preset", "qk_ten"],
                ["rescale", folder["model"], "--preset", "vo_row"]),
            new Replacing(
                "rescale --adapter",
                [.. Both("qk_ten"), "--force"],
                [.. Both("vo_ten"), "--force"],
                [folder["both", "model"], folder["both", "adapter"]],
                reader: ["merge", folder["both", "model"], folder["both", "adapter"], "--tokens", "0", "--out", folder["torn"]]),
            Replace("undo", "undone", ["undo", folder["rescaled"]], ["undo", folder["rescaled2"]]),
            Replace(
                "rotate", "rotated",
                ["rotate", folder["model"], "--stream", "none", "--heads", "random"],
                ["rotate", folder["model"], "--stream", "none", "--heads", "random", "--seed", "2"]),
            Replace(
                "merge", "merged",
                ["merge", folder["model"], folder["adapter"], "--tokens", "0"],
                ["merge", folder["model"], folder["adapter2"], "--tokens", "0"]),
            Replace("balance", "balanced", ["balance", folder["adapter"]], ["balance", folder["adapter2"]]),
            Replace(
                "express", "expressed",
                ["express", folder["adapter"], "--base", folder["rescaled"], "--for", "original"],
                ["express", folder["adapter2"], "--base", folder["rescaled"], "--for", "original"]),
            Replace("tokenize", "x.tokens", Tokenize("a.txt"), Tokenize("b.txt")),
            new Replacing(
                "tokenize --held-out",
                [.. Tokenize("a.txt"), "--held-out", "0.3", "--out", folder["held", "x.tokens"], "--force"],
                [.. Tokenize("b.txt"), "--held-out", "0.3", "--out", folder["held", "x.tokens"], "--force"],
                [folder["held", "x.tokens"], folder["held", "x.held-out.tokens"]],
                belong: true),
            Replace("eval --out", "eval.json", Eval("10"), Eval("30")),
            Replace("report", "report.html", ["report", folder["study1"]], ["report", folder["study2"]]),
            new Resuming("train", ["train", "--config", folder["train.yaml"]], folder["train"], "checkpoints", null)
            {
                Share = 2,
            },
            new Resuming("finetune", ["finetune", "--config", folder["finetune.yaml"]], folder["finetune"], "checkpoints", null)
            {
                Share = 2,
            },
            new Resuming("compare", ["compare", "--config", folder["compare.yaml"]], folder["compare"], "runs", "result.json")
            {
                Share = 1,
            },
        ];

        Subject Replace(string name, string output, string[] old, string[] command)
        {
            string place = folder[name.Replace(' ', '-'), output];
            return new Replacing(name, [.. old, "--out", place, "--force"], [.. command, "--out", place, "--force"], [place]);
        }

        string[] Both(string preset) =>
        [
            "rescale", folder["model"], "--preset", preset, "--out", folder["both", "model"], "--adapter", folder["adapter"],
            "--adapter-out", folder["both", "adapter"],
        ];
        string[] Tokenize(string text) => ["tokenize", folder[text], "--tokenizer", tiny];
        string[] Eval(string limit) =>
            ["eval", tiny, "--text", folder["a.txt"], "--document", "line", "--limit", limit, "--batch-size", "1"];
    }

    /// <summary>A model that can be run, with a tokenizer.</summary>
    private static string Trained(TemporaryFolder folder)
    {
        File.WriteAllText(folder["tiny.yaml"], Training(folder, "tiny", 2));
        string tiny = (string)JsonNode.Parse(Victim.Run("train", "--config", folder["tiny.yaml"], "--json").Output)!["checkpoint"]!;
        File.WriteAllText(folder["train.yaml"], Training(folder, "train", 24) + "checkpoints: {every: 1, keep: 100}\nema: 0.9\n");
        string examples = string.Join(
            ",\n",
            Enumerable.Range(0, 30).Select(i => $$"""{"prompt": "item {{i}}: ", "completion": "{{(i % 3 == 0 ? "red" : "blue")}}"}"""));
        File.WriteAllText(folder["data.json"], $"[{examples}]");
        File.WriteAllText(
            folder["finetune.yaml"],
            $$"""
            output: '{{folder["finetune"]}}'
            threads: 1
            batch_size: 2
            steps: 16
            base: {model: '{{tiny}}'}
            data: {train: ['{{folder["data.json"]}}'], held_out: 0.2, sequence_length: 64}
            adapter: {r: 2, balance: {every: 2} }
            wisca: {every: 3, round: none}
            checkpoints: {every: 1, keep: 100}
            logging: {every: 1, tensorboard: false}
            """);
        return tiny;
    }

    private static string Training(TemporaryFolder folder, string output, int steps) =>
        $$"""
        output: '{{folder[output]}}'
        threads: 1
        batch_size: 2
        steps: {{steps}}
        model: {config: {{Model}} }
        tokenizer: {source: bytes}
        data: {stories: 30, sequence_length: 32, held_out: 0.1, cache: '{{folder["cache"]}}'}
        schedule: {warmup: 2}
        wisca: {every: 7, round: none}
        evaluation: {every: 8, tokens: 256, at_start: false, samples: {every: 0} }
        logging: {every: 1, tensorboard: false}

        """;

    private static void WriteTexts(TemporaryFolder folder)
    {
        foreach (var (name, seed) in (ReadOnlySpan<(string, int)>)[("a.txt", 1), ("b.txt", 2)])
        {
            var random = new Random(seed);
            var text = new StringBuilder();
            for (int document = 0; document < 4000; document++)
            {
                for (int word = 0; word < 40; word++) text.Append("the boat said hello to ducks".Split(' ')[random.Next(6)]).Append(' ');
                text.Append(document).Append("\n<|endoftext|>\n");
            }

            File.WriteAllText(folder[name], text.ToString());
        }
    }

    /// <summary>Two finished studies for reports, and one to be killed.</summary>
    private static void WriteStudies(TemporaryFolder folder)
    {
        string lines = string.Join(
            '\n',
            Training(folder, "x", 6).Split('\n').Where(line => !line.StartsWith("output", StringComparison.Ordinal)
                && !line.StartsWith("threads", StringComparison.Ordinal)).Select(line => "  " + line));
        foreach (var (name, seeds) in (ReadOnlySpan<(string, string)>)[("study1", "[1]"), ("study2", "[2]"), ("compare", "[3]")])
        {
            File.WriteAllText(
                folder[name + ".yaml"],
                $"output: '{folder[name]}'\nworkers: 2\nseeds: {seeds}\ntraining:\n"
                + $"{lines.Replace("held_out: 0.1", "held_out: 0.4", StringComparison.Ordinal)}\n"
                + "arms:\n  origin: { wisca: { preset: origin } }\n  wisca: { wisca: { every: 3 } }\n");
            if (name != "compare") Victim.Run("compare", "--config", folder[name + ".yaml"]);
        }
    }
}
