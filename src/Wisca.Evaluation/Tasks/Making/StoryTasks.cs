using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Files;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>
/// Tasks that a model of one million parameters can do, made from stories that it was not trained on: how a story goes on, which verb
/// agrees, who he, she or they are, whose name it is, and what comes of it. Everything follows from the text and a seed.
/// </summary>
public static class StoryTasks
{
    /// <summary>What the name of every task begins with.</summary>
    public const string Prefix = "stories_";

    /// <summary>Raised when the makers change: scores of different versions are not comparable.</summary>
    public const string Version = "1.0";

    private const string Questions = "stories";

    private static readonly JsonSerializerOptions Line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static IItemMaker[] Makers =>
        [new ContinuationItems(), new AgreementItems(), new PronounItems(), new NameItems(), new CauseItems()];

    /// <summary>
    /// Writes the tasks into a new folder: <c>stories_NAME.yaml</c> for <c>wisca eval --include</c>, <c>stories/NAME.jsonl</c> with the
    /// questions, and <c>harness/</c> with the same tasks for the Language Model Evaluation Harness.
    /// </summary>
    /// <param name="documents">Stories; paragraphs stand between empty lines.</param>
    /// <param name="folder">The folder, which must not exist.</param>
    /// <param name="items">Questions of each task.</param>
    /// <param name="seed">Decides which, and their order; not negative.</param>
    /// <returns>Questions of each task by name, and their number of choices.</returns>
    /// <exception cref="WiscaException">The text has too little for a task, or the folder cannot be written.</exception>
    public static IReadOnlyList<(string Task, int Items, int Choices)> Write(
        IEnumerable<string> documents, string folder, int items, long seed)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(items);
        ArgumentOutOfRangeException.ThrowIfNegative(seed);
        if (Path.Exists(folder))
            throw new WiscaException($"{folder} exists already, expected a new folder", "choose another --out, or remove it");
        var text = StorySentences.Of(documents);
        using var output = AtomicFolder.Create(folder);
        Directory.CreateDirectory(Path.Combine(output.Staging, Questions));
        Directory.CreateDirectory(Path.Combine(output.Staging, "harness"));
        var written = new List<(string, int, int)>();
        foreach (var maker in Makers)
        {
            // A seed of its own, so that a task stays as it is when another one changes.
            var random = new PythonRandom(((ulong)seed << 8) + (ulong)written.Count);
            var made = maker.Make(text, random).DistinctBy(item => (item.Contexts[0], item.Continuations[0])).Take(items).ToList();
            if (made.Count < items)
                throw new WiscaException(
                    $"the text has {made.Count} questions for {Prefix}{maker.Name}, expected {items}",
                    "give more text, or ask for fewer with --items");
            var lines = new StringBuilder();
            foreach (var item in made)
            {
                int[] order = random.Sample(item.Choices.Count, item.Choices.Count);
                var question = new JsonObject
                {
                    [maker.ChoosesContext ? "continuation" : "context"] = maker.ChoosesContext ? item.Continuations[0] : item.Contexts[0],
                    ["choices"] = new JsonArray([.. order.Select(index => (JsonNode?)item.Choices[index])]),
                    ["label"] = Array.IndexOf(order, 0),
                };
                lines.Append(question.ToJsonString(Line)).Append('\n');
            }

            File.WriteAllText(Path.Combine(output.Staging, Questions, $"{maker.Name}.jsonl"), lines.ToString());
            File.WriteAllText(Path.Combine(output.Staging, $"{Prefix}{maker.Name}.yaml"), Definition(maker, seed));
            File.WriteAllText(Path.Combine(output.Staging, "harness", $"{Prefix}{maker.Name}.yaml"), Harness(maker));
            written.Add(($"{Prefix}{maker.Name}", made.Count, maker.Choices));
        }

        output.Commit();
        return written;
    }

    private static string Definition(IItemMaker maker, long seed) => string.Create(CultureInfo.InvariantCulture, $$$"""
        # Made by wisca make-tasks (seed {{{seed}}}).
        task: {{{Prefix}}}{{{maker.Name}}}
        about: {{{maker.About}}}
        version: {{{Version}}}
        output_type: {{{(maker.ChoosesContext ? "partial" : "multiple_choice")}}}
        evaluation: test
        {{{(maker.ChoosesContext
            ? """
              doc_to_choice: "{{choices}}"
              doc_to_target: "{{continuation}}"
              """
            : """
              doc_to_text: "{{context}}"
              doc_to_choice: "{{choices}}"
              """)}}}
        gold: "{{label}}"
        metrics: [{{{(maker.ChoosesContext ? "acc" : "acc, acc_norm")}}}]
        data:
          - name: made
            test: [stories/{{{maker.Name}}}.jsonl]

        """);

    /// <summary>The same for the harness, which takes contexts for choices where doc_to_text is the right one's index.</summary>
    private static string Harness(IItemMaker maker) => $$$"""
        task: {{{Prefix}}}{{{maker.Name}}}
        dataset_path: json
        dataset_kwargs:
          data_files:
            test: stories/{{{maker.Name}}}.jsonl
        test_split: test
        output_type: multiple_choice
        {{{(maker.ChoosesContext
            ? """
              doc_to_text: "{{label}}"
              doc_to_choice: "{{choices}}"
              doc_to_target: "{{continuation}}"
              """
            : """
              doc_to_text: "{{context}}"
              doc_to_choice: "{{choices}}"
              doc_to_target: "{{label}}"
              """)}}}
        metric_list:
          - metric: acc
            aggregation: mean
            higher_is_better: true
        metadata:
          version: {{{Version}}}

        """;
}
