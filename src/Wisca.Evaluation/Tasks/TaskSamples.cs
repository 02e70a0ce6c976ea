using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tasks.Scores;
using Wisca.Files;

namespace Wisca.Evaluation.Tasks;

/// <summary>Each document of a task with its prompts and answers, as JSON lines in the harness's shape (<c>--log_samples</c>).</summary>
public static class TaskSamples
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    /// <summary>Writes the samples of a task; the file appears when it is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="task">A task that did not fail.</param>
    /// <param name="replace">Whether a file that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Write(string path, TaskOutcome task, bool replace)
    {
        ArgumentNullException.ThrowIfNull(task);
        OutputFile.Write(path, replace, stream =>
        {
            foreach (var score in task.Scores)
            {
                stream.Write(Encoding.UTF8.GetBytes(ToJson(task.Definition, score).ToJsonString(Plain)));
                stream.WriteByte((byte)'\n');
            }
        });
    }

    /// <summary>The harness's hash of a task's documents, prompts and targets, in their order.</summary>
    /// <param name="task">A task that did not fail.</param>
    public static string Hash(TaskOutcome task)
    {
        ArgumentNullException.ThrowIfNull(task);
        var hashes = new StringBuilder();
        foreach (var score in task.Scores)
            hashes.Append(DocumentHash(score.Item)).Append(PromptHash(score.Item)).Append(Sha256(score.Item.Target));
        return Sha256(hashes.ToString());
    }

    private static JsonObject ToJson(TaskDefinition definition, ItemScore score)
    {
        var item = score.Item;
        var arguments = new JsonObject();
        for (int i = 0; i < item.Requests.Count; i++)
            arguments[$"gen_args_{i}"] = new JsonObject { ["arg_0"] = item.Requests[i].Context, ["arg_1"] = item.Requests[i].Continuation };
        var json = new JsonObject
        {
            ["doc_id"] = item.Id,
            ["doc"] = item.Document.DeepClone(),
            ["target"] = item.Target,
            ["arguments"] = arguments,
            ["resps"] = new JsonArray([.. score.Answers.Select(answer => (JsonNode?)new JsonArray(Answer(answer)))]),
            ["filtered_resps"] = new JsonArray([.. score.Answers.Select(answer => (JsonNode?)Answer(answer))]),
            ["filter"] = "none",
            ["metrics"] = new JsonArray([.. definition.Metrics.Select(metric => (JsonNode?)metric.Name())]),
            ["doc_hash"] = DocumentHash(item),
            ["prompt_hash"] = PromptHash(item),
            ["target_hash"] = Sha256(item.Target),
        };
        for (int i = 0; i < definition.Metrics.Count; i++) json[definition.Metrics[i].Name()] = score.Values[i];
        return json;

        // As text, with the words of Python.
        static JsonArray Answer(Scoring.LogLikelihood answer) =>
            new(answer.Sum.ToString("R", CultureInfo.InvariantCulture), answer.IsGreedy ? "True" : "False");
    }

    private static string DocumentHash(TaskItem item) => Sha256(item.Document.ToJsonString(Indented));

    private static string PromptHash(TaskItem item) => Sha256(item.Requests[0].Context);

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
