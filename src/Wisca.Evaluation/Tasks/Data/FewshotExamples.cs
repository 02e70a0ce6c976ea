using System.Text;
using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>
/// Draws few-shot examples as the harness's default sampler: one generator a task, seeded once, from which each document in turn draws its
/// own examples; a document that is drawn for itself is dropped.
/// </summary>
internal sealed class FewshotExamples
{
    private readonly IReadOnlyList<(JsonObject Fields, string Text)> _examples;
    private readonly PythonRandom _random;
    private readonly int _count, _drawn;

    private FewshotExamples(string file, IReadOnlyList<(JsonObject Fields, string Text)> examples, int count, int drawn, int seed) =>
        (File, _examples, _count, _drawn, _random) = (file, examples, count, drawn, new PythonRandom((ulong)seed));

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

        // The harness compares two settings that are both empty unless a test split is named, and then takes the splits for the same.
        int drawn = definition.Evaluation == TaskSplit.Test ? count : count + 1;
        var documents = TaskFiles.Read(path, data.Labels);
        if (documents.Count < drawn)
            throw new WiscaException(
                $"{path} has {documents.Count} documents, expected at least {drawn} to draw few-shot examples from",
                "ask for fewer with --num-fewshot");
        return new FewshotExamples(
            path,
            [.. documents.Select(document => TaskLoader.At(document, fields => (fields, prompts.Example(fields)), data))],
            count,
            drawn,
            seed);
    }

    /// <summary>The examples before a document.</summary>
    public string Before(JsonObject document)
    {
        var text = new StringBuilder();
        int taken = 0;
        foreach (int index in _random.Sample(_examples.Count, _drawn))
        {
            var (fields, example) = _examples[index];
            if (taken == _count || JsonNode.DeepEquals(fields, document)) continue;
            text.Append(example);
            taken++;
        }

        return text.ToString();
    }
}
