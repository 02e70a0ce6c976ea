using System.Text;
using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>
/// Draws few-shot examples as the sampler of the harness 0.4.13: one generator a task, seeded once, from which each document in turn
/// draws its own examples. It compares the few-shot split's setting with the test split's, both empty in tasks without a test split: there
/// one more is drawn, and the document itself is dropped. Elsewhere what is drawn stays, be it the document itself.
/// </summary>
internal sealed class FewshotExamples
{
    private readonly IReadOnlyList<(JsonObject Fields, string Text)> _examples;
    private readonly PythonRandom _random;
    private readonly int _count;
    private readonly bool _spare;

    private FewshotExamples(string file, IReadOnlyList<(JsonObject Fields, string Text)> examples, int count, bool spare, int seed) =>
        (File, _examples, _count, _spare, _random) = (file, examples, count, spare, new PythonRandom((ulong)seed));

    public string File { get; }

    /// <exception cref="WiscaException">The split is not there, or has too few documents.</exception>
    public static FewshotExamples Read(
        TaskDefinition definition, TaskDataSection data, string folder, TaskPrompts prompts, int count, int seed)
    {
        var names = data.Files(definition.Fewshot);
        string split = definition.Fewshot.Name();
        if (names.Count == 0)
            throw new WiscaException(
                $"few-shot examples come from the {split} split, which '{data.Name}' does not have",
                "run without --num-fewshot, or put the task's own files into the data folder");
        string path = TaskFiles.Find(folder, names)
            ?? throw new WiscaException(
                $"few-shot examples come from the {split} split, and {folder} has none of {string.Join(", ", names)}",
                "put one of these files there, or run without --num-fewshot");

        bool spare = definition.Evaluation != TaskSplit.Test;
        int drawn = spare ? count + 1 : count;
        var documents = TaskFiles.Read(path, data.Labels);
        if (documents.Count < drawn)
            throw new WiscaException(
                $"{path} has {documents.Count} documents, expected at least {drawn} to draw few-shot examples from",
                "ask for fewer with --num-fewshot");
        return new FewshotExamples(
            path,
            [.. documents.Select(document => TaskLoader.At(document, fields => (fields, prompts.Example(fields)), data))],
            count,
            spare,
            seed);
    }

    /// <summary>The examples before a document.</summary>
    public string Before(JsonObject document)
    {
        var text = new StringBuilder();
        int taken = 0;
        foreach (int index in _random.Sample(_examples.Count, _spare ? _count + 1 : _count))
        {
            var (fields, example) = _examples[index];
            if (taken == _count || (_spare && JsonNode.DeepEquals(fields, document))) continue;
            text.Append(example);
            taken++;
        }

        return text.ToString();
    }
}
