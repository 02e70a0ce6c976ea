using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Library.Documents;

/// <summary>What will be moved, and what not.</summary>
/// <param name="Architecture">The table's name.</param>
/// <param name="Exchanges">The scaling transitions.</param>
/// <param name="Refusals">Those that are not exact.</param>
/// <param name="Spaces">The spaces that may be rotated.</param>
/// <param name="RotationRefusals">Those that may not.</param>
internal sealed record PlanDescription(
    string Architecture,
    IReadOnlyList<PlanDescription.ExchangeEntry> Exchanges,
    IReadOnlyList<PlanDescription.RefusalEntry> Refusals,
    IReadOnlyList<PlanDescription.SpaceEntry> Spaces,
    IReadOnlyList<PlanDescription.RefusalEntry> RotationRefusals)
{
    /// <summary>As a document has it.</summary>
    public static PlanDescription Of(string architecture, TransitionPlan? transitions, RotationPlan? rotations) => new(
        architecture,
        [.. (transitions?.Exchanges ?? []).Select(ExchangeEntry.Of)],
        [.. (transitions?.Refusals ?? []).Select(refusal => new RefusalEntry(refusal.Kind.Name(), [.. refusal.Layers], refusal.Reason))],
        [.. (rotations?.Spaces ?? []).Select(SpaceEntry.Of)],
        [.. (rotations?.Refusals ?? []).Select(refusal => new RefusalEntry(refusal.Kind.Name(), [.. refusal.Layers], refusal.Reason))]);

    /// <summary>A scaling transition of a layer.</summary>
    internal sealed record ExchangeEntry(
        int Layer, string Kind, string Granularity, string Space, int Groups, IReadOnlyList<SliceEntry> Slices)
    {
        public static ExchangeEntry Of(Exchange exchange) => new(
            exchange.Layer, exchange.Kind.Name(), exchange.Granularity.Name(), exchange.Space, exchange.Groups.Length,
            [.. exchange.Slices.Select(slice => new SliceEntry(slice.Tensor, slice.Axis, slice.Exponent, slice.IsBias))]);
    }

    /// <summary>What a tensor takes part with.</summary>
    internal sealed record SliceEntry(string Tensor, int Axis, int Exponent, bool Bias);

    /// <summary>What is not exact.</summary>
    internal sealed record RefusalEntry(string Kind, IReadOnlyList<int> Layers, string Reason);

    /// <summary>A space that may be rotated.</summary>
    internal sealed record SpaceEntry(
        string Name, string Kind, int Size, bool KeepsOnes, IReadOnlyList<TurnedEntry> Slices, IReadOnlyList<GainEntry> Gains)
    {
        public static SpaceEntry Of(RotatedSpace space) => new(
            space.Name, space.Kind.Name(), space.Size, space.KeepsOnes,
            [.. space.Slices.Select(slice => new TurnedEntry(slice.Tensor, slice.Axis, slice.Start, slice.Role.Name(), slice.Gain))],
            [.. space.Gains.Select(gain => new GainEntry(gain.Tensor, gain.Bias, gain.MustBeUniform, gain.AddsOne))]);
    }

    /// <summary>Indices of a tensor that lie in a space.</summary>
    internal sealed record TurnedEntry(string Tensor, int Axis, int Start, string Role, string? Gain);

    /// <summary>The gain of a norm on a space.</summary>
    internal sealed record GainEntry(string Tensor, string? Bias, bool MustBeUniform, bool AddsOne);
}
