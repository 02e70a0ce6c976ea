using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>Reads a task's documents and makes its requests.</summary>
internal static class TaskLoader
{
    /// <summary>Loads a task.</summary>
    /// <param name="definition">The task; not a template of a group.</param>
    /// <param name="folder">The folder that its data files are looked for in.</param>
    /// <param name="options">Limit and few-shot examples.</param>
    /// <exception cref="WiscaException">No data file is there,
    /// or a document cannot be turned into requests; file and line are named.</exception>
    public static LoadedTask Load(TaskDefinition definition, string folder, TaskOptions options)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(options);
        var (data, path) = Find(definition, folder);
        var prompts = new TaskPrompts(definition, data);
        var documents = TaskFiles.Read(path, data.Labels);
        int count = (int)Math.Min(documents.Count, options.Limit ?? documents.Count);
        int fewshot = definition.NumFewshot == 0 ? 0 : options.Fewshot ?? definition.NumFewshot ?? 0;
        var examples = fewshot == 0 ? null : FewshotExamples.Read(definition, data, folder, prompts, fewshot, options.FewshotSeed);
        var items = new List<TaskItem>(count);
        foreach (var document in documents.Take(count))
        {
            // The same text may be an example: it is known by its fields, before and after the same processing.
            items.Add(At(document, fields => prompts.Item(items.Count, fields, definition.Description + examples?.Before(fields)), data));
        }

        return new LoadedTask(
            definition, data, [path, .. examples is null || examples.File == path ? [] : (string[])[examples.File]], documents.Count,
            fewshot, items);
    }

    /// <summary>Does something with a processed document; what goes wrong is told with its place.</summary>
    internal static T At<T>(TaskDocument document, Func<JsonObject, T> action, TaskDataSection data)
    {
        try
        {
            DocumentProcessing.Apply(data.Process, document.Fields);
            return action(document.Fields);
        }
        catch (WiscaException exception)
        {
            throw new WiscaException(
                $"{document.Place}: {exception.Message}",
                exception.Hint ?? $"the file is read as '{data.Name}'; mend the line, or get the file again", exception);
        }
    }

    private static (TaskDataSection Data, string Path) Find(TaskDefinition definition, string folder)
    {
        foreach (var data in definition.Data)
        {
            if (TaskFiles.Find(folder, data.Files(definition.Evaluation)) is { } path) return (data, path);
        }

        string names = string.Join(", ", definition.Data.SelectMany(data => data.Files(definition.Evaluation)));
        string places = string.Join(", ", TaskFiles.Places.Where(place => place.Length > 0));
        throw new WiscaException(
            $"no data in {folder}: looked for {names}, there and in its folders {places}",
            "put one of these files there, or name another folder (--data)");
    }
}
