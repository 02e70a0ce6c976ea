using System.Text.Json.Nodes;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>A record of a data file.</summary>
/// <param name="Place">File and line (or number of the item), for messages.</param>
/// <param name="Fields">Its fields.</param>
internal sealed record TaskDocument(string Place, JsonObject Fields);
