using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Tests;
using Wisca.Torch.Models;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>
/// <c>docs/architectures.md</c> says what the tables, the forward passes and the judgements of transformers say. Where one of them has
/// changed, <c>eng/architectures</c> writes the page anew.
/// </summary>
public sealed class ArchitecturesPageTests
{
    private static readonly string[] Judge = ["tests", "Wisca.Core.Tests", "Architectures", "Transformers"];

    [Fact]
    public void Page_Architectures_IsWhatTheTablesSay()
    {
        string page = Page();
        string path = TestRepository.PathOf("docs", "architectures.md");
        if (Environment.GetEnvironmentVariable("WISCA_WRITE_GOLDEN") == "1") File.WriteAllText(path, page);
        File.ReadAllText(path).ReplaceLineEndings("\n").ShouldBe(page);
    }

    [Fact]
    public void Types_OfTransformers_AreCoveredInTheirMajority()
    {
        var (causal, textOf) = ReadTypes();
        causal.Count(type => IsCovered(type, textOf)).ShouldBeGreaterThanOrEqualTo(140);
    }

    [Fact]
    public void Refused_Types_AreThoseOfTransformersWithoutATable()
    {
        var (causal, textOf) = ReadTypes();
        string[] refused = [.. KnownArchitectures.Refused.SelectMany(entry => entry.ModelTypes)];
        refused.ShouldBeUnique();
        refused.ShouldAllBe(type => !IsCovered(type, textOf) && causal.Contains(type));
    }

    private static string Page()
    {
        var judgements = JsonNode.Parse(TestRepository.ReadText([.. Judge, "judgements.json"]))!;
        string version = judgements["transformers"]!.GetValue<string>();
        var models = judgements["models"]!.AsObject().Select(model => model.Value!).ToList();
        var names = judgements["models"]!.AsObject().ToDictionary(model => model.Value!, model => model.Key);
        var rotated = JsonNode.Parse(TestRepository.ReadText([.. Judge, "rotations.json"]))!.AsObject()
            .ToDictionary(entry => entry.Key, entry => entry.Value!.GetValue<string>(), StringComparer.Ordinal);
        var scaled = JsonNode.Parse(TestRepository.ReadText([.. Judge, "scalings.json"]))!.AsObject()
            .ToDictionary(entry => entry.Key, entry => entry.Value!.GetValue<string>(), StringComparer.Ordinal);
        var (causal, textOf) = ReadTypes();
        var others = textOf.Where(entry => !causal.Contains(entry.Key)).ToList();
        List<string> lines =
        [
            "# Architectures",
            "",
            .. Filled(
                $"{KnownArchitectures.All.Length} tables cover {KnownArchitectures.All.Sum(table => table.ModelTypes.Count)} model types. "
                + $"Of the {causal.Count} causal model types of transformers {version}, "
                + $"{causal.Count(type => IsCovered(type, textOf))} are covered, by a table of their own or because their text model has "
                + $"one, and {KnownArchitectures.Refused.Sum(entry => entry.ModelTypes.Count)} more are refused with the reason; of its "
                + $"{others.Count} other multimodal models, {others.Count(entry => IsCovered(entry.Value, textOf))} have a "
                + "text model that is covered."),
            "",
            .. Filled(
                $"transformers {version} has judged {models.Count} tiny random models of {models.Select(Type).Distinct().Count()} types: "
                + "it built and saved each; every move that is offered kept its logits (to 1e-9 in float64, to 1e-5 in float32), and "
                + $"{models.Sum(model => model["forced"]!.GetValue<int>())} moves that are refused, done all the same, changed them. "
                + $"{rotated.Count} of the models were rotated at random, their residual stream or their heads, and kept theirs too."),
            "",
            .. Filled(
                "QK is the exchange between W_q and W_k, VO that between W_v and W_o, each with the finest granularities that are exact "
                + "(none where it is refused); coarser ones are exact as well. UD is that between the sides of an MLP, NG that of "
                + "norms' gains with what reads behind them, QN that of the gains of queries and keys. "
                + "Rotations turn the residual stream, as it is or where gains "
                + "that have nowhere to go are uniform, and heads: their values, and queries and keys where RoPE does not act. A forward "
                + "pass is what training and evaluation need. Any multimodal model around one of these types is taken for its text model. "
                + "See [adding an architecture](adding-an-architecture.md) for one that is not here."),
            "",
            "| table | models | model types | QK | VO | UD | NG | QN | rotations | refused | forward pass | not judged |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ];
        foreach (var table in KnownArchitectures.All)
        {
            var own = models.Where(model => Covers(table, model)).ToList();
            lines.Add(
                Row(
                    table, own, [.. own.Select(model => rotated.GetValueOrDefault(names[model], ""))],
                    [.. own.Select(model => scaled.GetValueOrDefault(names[model], ""))]));
        }

        string[] refused = [.. KnownArchitectures.Refused.SelectMany(entry => entry.ModelTypes)];
        lines.AddRange(
            [
                "", "## Refused", "", "Nothing of these is moved, and `wisca inspect` says why:", "",
                "| model types | reason |", "|---|---|",
                .. KnownArchitectures.Refused.Select(entry => $"| {string.Join(", ", entry.ModelTypes)} | {entry.Reason} |"),
                "",
                "This page is written by `eng/architectures`, and compared by the tests.",
            ]);
        return string.Join("\n", lines) + "\n";
    }

    private static string Row(
        ArchitectureTable table, IReadOnlyList<JsonNode> models, IReadOnlyList<string> rotations, IReadOnlyList<string> scalings)
    {
        var alike = table.Refuse.GroupBy(rule => (
            string.Join("+", (rule.Transitions ?? []).Select(EnumNames.Name).Concat(rule.Stream ? ["stream"] : [])), rule.Reason));
        var refusals = alike.Select(rules =>
        {
            string[] conditions = [.. rules.Select(rule => rule.When).OfType<ConditionTable>().Select(Condition)];
            return $"{rules.Key.Item1}{(conditions.Length == 0 ? "" : $" with {string.Join(" or ", conditions)}")}: {rules.Key.Reason}";
        });
        string[] forward = [.. table.ModelTypes.Where(DecoderFamilies.ByModelType.ContainsKey)];
        string[] unjudged = [.. table.ModelTypes.Except(models.Select(Type), StringComparer.Ordinal)];
        return "| " + string.Join(
            " | ",
            table.Name, table.Description, string.Join(", ", table.ModelTypes), Finest(table, models, "qk"), Finest(table, models, "vo"),
            Scaling(scalings, "ud"), Scaling(scalings, "ng"), Scaling(scalings, "qn"), Rotations(rotations), string.Join("; ", refusals),
            forward.Length == table.ModelTypes.Count ? "yes" : string.Join(", ", forward),
            string.Join(", ", unjudged))
            + " |";
    }

    private static string Scaling(IReadOnlyList<string> scalings, string kind) =>
        scalings.Any(names => names.Contains($"{kind} channel", StringComparison.Ordinal)) ? "channel" : "";

    private static string Rotations(IReadOnlyList<string> rotations)
    {
        string stream = rotations.Any(names => names.EndsWith("stream", StringComparison.Ordinal)) ? "stream"
            : rotations.Any(names => names.Contains("stream")) ? "stream with uniform gains"
            : "";
        return string.Join(", ", [.. stream.Length > 0 ? [stream] : (string[])[], .. rotations.Any(names => names.Contains("heads"))
            ? (string[])["heads"]
            : []]);
    }

    private static string Condition(ConditionTable when) =>
        when.Tensor is { } tensor ? $"`{tensor}`"
        : when.Is is { } value ? $"`{when.Key}` {value.GetRawText().Trim('"')}"
        : $"`{when.Key}`";

    /// <summary>The finest granularities of all models: RoPE leaves pairs where other layers, or other models, have channels.</summary>
    private static string Finest(ArchitectureTable table, IEnumerable<JsonNode> models, string transition)
    {
        string[] finest =
        [
            .. models.Select(model => model[transition]!.AsArray().Select(name => name!.GetValue<string>()).ToArray())
                .SelectMany(names => names.TakeLast(names.Contains("pair") && table.Rope.Pairs != RopePairs.None ? 2 : 1))
                .Where(name => name is "pair" or "channel")
                .Distinct().OrderDescending(),
        ];
        return string.Join(", ", finest);
    }

    private static bool Covers(ArchitectureTable table, JsonNode model) => table.Covers(Type(model)) || table.Wraps(Type(model));

    private static string Type(JsonNode model) => model["type"]!.GetValue<string>();

    private static bool IsCovered(string type, Dictionary<string, string> textOf) =>
        KnownArchitectures.TryFind(type, out _, wrappers: true)
        || (textOf.TryGetValue(type, out string? text) && KnownArchitectures.TryFind(text, out _, wrappers: true));

    /// <summary>The causal types, and by type the type of its text model.</summary>
    private static (List<string> Causal, Dictionary<string, string> TextOf) ReadTypes()
    {
        string[][] lines =
        [
            .. TestRepository.ReadText([.. Judge, "model-types.txt"]).ReplaceLineEndings("\n")
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(line => line[0] != '#').Select(line => line.Split(' ')),
        ];
        return (
            [.. lines.Where(line => line.Length == 1).Select(line => line[0])],
            lines.Where(line => line.Length == 2).ToDictionary(line => line[0], line => line[1]));
    }

    /// <summary>A paragraph in lines of at most a hundred characters.</summary>
    private static IEnumerable<string> Filled(string text)
    {
        string line = "";
        foreach (string word in text.Split(' '))
        {
            if (line.Length + word.Length >= 99)
            {
                yield return line;
                line = "";
            }

            line += line.Length == 0 ? word : " " + word;
        }

        yield return line;
    }
}
