using System.Text.Json.Nodes;
using Wisca.Evaluation.Scoring;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>A document of a task with its requests.</summary>
/// <param name="Id">Its number in the split, from 0.</param>
/// <param name="Document">Its fields, those that processing added among them.</param>
/// <param name="Requests">One for each choice.</param>
/// <param name="Gold">The index of the gold choice.</param>
/// <param name="Lengths">The number of characters (code points) of each choice.</param>
/// <param name="Target">What the harness logs as the target: the index, or the continuation where that is the target.</param>
public sealed record TaskItem(
    int Id, JsonObject Document, IReadOnlyList<LogLikelihoodRequest> Requests, int Gold, IReadOnlyList<int> Lengths, string Target);
