using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>What transformers said of one model.</summary>
/// <param name="ModelType">Its <c>model_type</c>.</param>
/// <param name="QueryKey">The granularities of QK that kept its logits, in any of its layers.</param>
/// <param name="ValueOutput">The same for VO.</param>
/// <param name="Forced">How many refused moves were done all the same; each moved the logits.</param>
internal sealed record Judgement(string ModelType, IEnumerable<Granularity> QueryKey, IEnumerable<Granularity> ValueOutput, int Forced)
{
    /// <summary>The line of the repository's file.</summary>
    public override string ToString() =>
        $"{{ \"type\": \"{ModelType}\", \"qk\": [{Names(QueryKey)}], \"vo\": [{Names(ValueOutput)}], \"forced\": {Forced} }}";

    private static string Names(IEnumerable<Granularity> granularities) =>
        string.Join(", ", granularities.Select(granularity => $"\"{granularity.Name()}\""));
}
