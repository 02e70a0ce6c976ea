using System.Text.Json.Nodes;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>A tiny model that transformers builds, described by what differs from its family's defaults.</summary>
/// <param name="Name">The variant.</param>
/// <param name="ModelType">The <c>model_type</c>; of a wrapper, the wrapper's.</param>
/// <param name="Config">Keys of the configuration class, in the place of <c>judge.py</c>'s common ones.</param>
internal sealed record JudgedModel(string Name, string ModelType, JsonObject Config)
{
    public override string ToString() => Name;
}
