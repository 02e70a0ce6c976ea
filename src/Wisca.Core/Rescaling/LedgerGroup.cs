using System.Buffers.Text;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Wisca.Attention;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>One group of a move; or, of MLPs and norms per channel, all groups of an exchange, of which there are thousands.</summary>
/// <param name="Layer">The layer; -1 for what lies outside of the layers.</param>
/// <param name="Transition">Which projections.</param>
/// <param name="Granularity">How channels are grouped.</param>
/// <param name="Factor">s; 1 where nothing was done, or where each channel has its own.</param>
/// <param name="Outcome">What became of the group.</param>
/// <param name="NormsBefore">Norms of the multiplied and the divided side before.</param>
/// <param name="NormsAfter">The same as measured on what was written.</param>
/// <param name="Slices">What was scaled.</param>
/// <param name="KvHead">The kv head; null where all share the factor.</param>
/// <param name="Channel">The channel, or the first of a pair; null where all share the factor.</param>
/// <param name="Note">A clamp, or why the group was skipped.</param>
/// <param name="Space">The norm or the hidden channels that the factor is of; null for attention.</param>
/// <param name="Expert">The expert of a stack; null where there is none.</param>
/// <param name="Factors">
/// Base64 of little-endian float64 factors, one for each channel, in the order of each slice's indices (again from the first where a slice
/// has more of them); null where <paramref name="Factor"/> is that of all.
/// </param>
public sealed record LedgerGroup(
    int Layer,
    TransitionKind Transition,
    Granularity Granularity,
    double Factor,
    GroupOutcome Outcome,
    IReadOnlyList<double> NormsBefore,
    IReadOnlyList<double> NormsAfter,
    IReadOnlyList<LedgerSlice> Slices,
    int? KvHead = null,
    int? Channel = null,
    string? Note = null,
    string? Space = null,
    int? Expert = null,
    string? Factors = null)
{
    private double[]? _decoded;

    /// <summary>True where something was scaled.</summary>
    [JsonIgnore]
    public bool Moves => Factor != 1 || (Factors is not null && Array.Exists(Decoded(), factor => factor != 1));

    /// <summary>True where every factor is a power of two, and elements are multiplied as they are stored.</summary>
    [JsonIgnore]
    public bool PowersOfTwo =>
        !Moves
        || (Elements.IsPowerOfTwo(Factor) && Array.TrueForAll(Decoded(), Elements.IsPowerOfTwo) && !Slices.Any(slice => slice.AddsOne));

    /// <summary>The records of an exchange: one for each group, or one for all where each channel has a group.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="balances">Its factors, and its norms before.</param>
    /// <param name="after">Its norms after.</param>
    /// <param name="criterion">What the norms are.</param>
    public static IEnumerable<LedgerGroup> Of(
        Exchange exchange, IReadOnlyList<GroupBalance> balances, (double[] Multiplied, double[] Divided) after, Criterion criterion)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentNullException.ThrowIfNull(balances);
        if (!IsCompact(exchange))
            return balances.Select((balance, group) => Of(exchange, group, balance, [after.Multiplied[group], after.Divided[group]]));
        var outcome = balances.Any(balance => balance.Outcome == GroupOutcome.Scaled) ? GroupOutcome.Scaled
            : balances.All(balance => balance.Outcome == GroupOutcome.Skipped) ? GroupOutcome.Skipped
            : GroupOutcome.Unchanged;
        string[] notes =
        [
            .. balances.Where(balance => balance.Note is not null).GroupBy(balance => balance.Note)
                .Select(same => same.Count() == balances.Count ? same.Key! : $"{same.Count()} of {balances.Count} channels: {same.Key}"),
        ];
        double[] factors = [.. balances.Select(balance => balance.Factor)];
        return
        [
            new LedgerGroup(
                exchange.Layer, exchange.Kind, exchange.Granularity, 1, outcome,
                [
                    Together(balances.Select(balance => balance.MultipliedNorm), criterion),
                    Together(balances.Select(balance => balance.DividedNorm), criterion),
                ],
                [Together(after.Multiplied, criterion), Together(after.Divided, criterion)],
                [.. exchange.Slices.Select(slice => LedgerSlice.Of(slice, exchange.Describe(slice, null)))],
                Note: notes.Length == 0 ? null : string.Join("; ", notes), Space: exchange.Space,
                Factors: Convert.ToBase64String(
                    MemoryMarshal.AsBytes<double>([.. exchange.GroupOfChannel.Select(group => factors[group])]))),
        ];
    }

    /// <summary>The record of one group.</summary>
    private static LedgerGroup Of(Exchange exchange, int group, GroupBalance balance, IReadOnlyList<double> normsAfter) => new(
        exchange.Layer,
        exchange.Kind,
        exchange.Granularity,
        balance.Factor,
        balance.Outcome,
        [balance.MultipliedNorm, balance.DividedNorm],
        normsAfter,
        [.. exchange.Slices.Select(slice => LedgerSlice.Of(slice, exchange.Describe(slice, group)))],
        balance.Label.KvHead,
        balance.Label.Channel,
        balance.Note,
        exchange.Space.Length == 0 ? null : exchange.Space,
        balance.Label.Expert);

    /// <summary>The factors that the records of a plan's exchanges tell; null where they are those of another plan.</summary>
    internal static ImmutableArray<ImmutableArray<double>>? Read(IReadOnlyList<LedgerGroup> groups, IEnumerable<Exchange> exchanges)
    {
        var factors = ImmutableArray.CreateBuilder<ImmutableArray<double>>();
        int next = 0;
        foreach (var exchange in exchanges)
        {
            double[] own = new double[exchange.Groups.Length];
            int records = IsCompact(exchange) ? 1 : own.Length;
            if (groups.Count - next < records) return null;
            for (int record = 0; record < records; record++, next++)
            {
                var label = exchange.Groups[record];
                var group = groups[next];
                var expected = IsCompact(exchange) ? default : label;
                if (
                    group.Layer != exchange.Layer || group.Transition != exchange.Kind || group.Granularity != exchange.Granularity
                    || (group.Space ?? "") != exchange.Space || group.KvHead != expected.KvHead || group.Channel != expected.Channel
                    || group.Expert != expected.Expert)
                    return null;
                if (!IsCompact(exchange)) own[record] = group.Factor;
                else if (group.Decoded().Length != exchange.GroupOfChannel.Length) return null;
                else for (int channel = 0; channel < exchange.GroupOfChannel.Length; channel++)
                        own[exchange.GroupOfChannel[channel]] = group.FactorAt(channel);
            }

            factors.Add([.. own]);
        }

        return next == groups.Count ? factors.ToImmutable() : null;
    }

    /// <summary>The factor of the so many-th of a slice's indices.</summary>
    internal double FactorAt(int position) => Factors is null ? Factor : Decoded()[position % Decoded().Length];

    internal string? FindFault()
    {
        if (!(Factor > 0) || !double.IsFinite(Factor) || !double.IsFinite(1 / Factor)) return $"factor {Factor} is not a positive number";
        if (Factors is null) return null;
        if (!Base64.IsValid(Factors, out int length) || length == 0 || length % sizeof(double) != 0) return "factors that are not base64";
        return Array.TrueForAll(Decoded(), factor => factor > 0 && double.IsFinite(factor) && double.IsFinite(1 / factor))
            ? null
            : "a factor that is not a positive number";
    }

    private static bool IsCompact(Exchange exchange) => 
        exchange.Granularity == Granularity.Channel && exchange.Kind is TransitionKind.UpDown or TransitionKind.NormGain;

    private double[] Decoded() =>
        _decoded ??= Factors is null ? [] : MemoryMarshal.Cast<byte, double>(Convert.FromBase64String(Factors)).ToArray();

    /// <summary>The norm of all channels together.</summary>
    private static double Together(IEnumerable<double> norms, Criterion criterion) => criterion switch
    {
        Criterion.L1 => norms.Sum(),
        Criterion.L1Mean => norms.Average(),
        Criterion.Rms => Math.Sqrt(norms.Average(norm => norm * norm)),
        Criterion.Spectral => norms.Max(),
        _ => Math.Sqrt(norms.Sum(norm => norm * norm)),
    };
}
