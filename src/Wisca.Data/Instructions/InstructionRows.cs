using Wisca.Data.Corpora;
using Wisca.Numerics;

namespace Wisca.Data.Instructions;

/// <summary>
/// The rows of batches, in an order that depends on nothing but a seed and a position. A row is one example; or, packed, as many as were
/// found to fit one after the other. Rows are packed once, and each epoch draws their order anew.
/// </summary>
public sealed class InstructionRows
{
    private readonly IReadOnlyList<EncodedInstruction>[] _rows;
    private readonly ulong _seed;

    /// <summary>Lays examples into rows.</summary>
    /// <param name="examples">The examples; at least one.</param>
    /// <param name="length">Positions of a packed row, no fewer than the longest example has; null for one example a row.</param>
    /// <param name="seed">Which of the orders.</param>
    public InstructionRows(IReadOnlyList<EncodedInstruction> examples, int? length, long seed)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (examples.Count == 0) throw new ArgumentException("no example", nameof(examples));
        _seed = (ulong)seed;
        _rows = length is { } positions
            ? Pack(examples, positions)
            : [.. examples.Select(example => (IReadOnlyList<EncodedInstruction>)[example])];
    }

    /// <summary>Number of rows of one pass over the examples.</summary>
    public int RowsPerEpoch => _rows.Length;

    /// <summary>The examples of the row at a position, from 0 without end.</summary>
    public IReadOnlyList<EncodedInstruction> this[long position]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(position);
            var (epoch, index) = Math.DivRem(position, _rows.Length);
            ulong state = _seed;
            state = ProbeGenerator.Next(ref state) ^ (ulong)epoch;
            return _rows[new IndexPermutation(_rows.Length, ProbeGenerator.Next(ref state))[index]];
        }
    }

    /// <summary>Best fit, the longest first: each example goes where it leaves the least room.
    /// Examples of one length keep the order of the data.</summary>
    private static IReadOnlyList<EncodedInstruction>[] Pack(IReadOnlyList<EncodedInstruction> examples, int length)
    {
        var rows = new List<List<EncodedInstruction>>();
        var byRoom = new SortedSet<(int Room, int Row)>();
        foreach (var example in examples.OrderByDescending(example => example.Length))
        {
            if (example.Length > length)
                throw new ArgumentException($"an example has {example.Length} positions, a row {length}", nameof(examples));
            var (room, row) =
                byRoom.GetViewBetween((example.Length, 0), (int.MaxValue, int.MaxValue)).Min is var found && found.Room > 0
                    ? found
                    : (length, rows.Count);
            if (row == rows.Count) rows.Add([]);
            byRoom.Remove((room, row));
            rows[row].Add(example);
            if (room > example.Length) byRoom.Add((room - example.Length, row));
        }

        return [.. rows];
    }
}
