using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>What a rescaling did.</summary>
/// <param name="Solution">The factors.</param>
/// <param name="Ledger">What was written to <c>wisca.json</c>, the moves before this one included; null for a dry run.</param>
/// <param name="SideFiles">Which other files went along, and which did not.</param>
public sealed record RescaleResult(TransitionSolution Solution, Ledger? Ledger, SideFiles SideFiles)
{
    /// <summary>The move that was added to the ledger; null for a dry run.</summary>
    public LedgerMove? Move => Ledger?.Moves[^1];

    /// <summary>Number of elements that lose bits, and whose original ones the ledger keeps; to be expected, for a dry run.</summary>
    public long RoundedElements { get; init; }

    /// <summary>Number of elements of the tensors that have such elements.</summary>
    public long ElementsBesideRounded { get; init; }

    /// <summary>Number of tensors that have such elements.</summary>
    public int RoundedTensors { get; init; }

    /// <summary>Bytes that their original bits take in the ledger; 0 for a dry run.</summary>
    public long LedgerBytesOfRounded => Move?.Lost.Sum(lost => (long)lost.Packed.Length) ?? 0;

    /// <summary>
    /// For each exchange of the plan and each of its groups, the norms of both sides as they were written; empty for a dry run.
    /// </summary>
    public ImmutableArray<ImmutableArray<(double Multiplied, double Divided)>> NormsAfter { get; init; } = [];

    /// <summary>Bytes of weights that were written.</summary>
    public long WrittenBytes { get; init; }

    /// <summary>Notes on clamps and skipped groups, one for each different text, with the number of groups.</summary>
    public ImmutableArray<(GroupOutcome Outcome, string Note, int Groups)> Notes =>
    [
        .. Solution.Groups.Select(entry => entry.Balance).Where(balance => balance.Note is not null)
            .GroupBy(balance => (balance.Outcome, balance.Note))
            .Select(balances => (balances.Key.Outcome, balances.Key.Note!, balances.Count())),
    ];
}
