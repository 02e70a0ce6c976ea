using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Wisca.Data.Instructions;

/// <summary>Examples as tokens, none longer than allowed.</summary>
/// <param name="Examples">The examples, in the order of the data.</param>
/// <param name="Truncated">Number of them that lost their end.</param>
/// <param name="Dropped">Number of examples that were left out because they are too long, or have no answer within the length.</param>
public sealed record InstructionSet(IReadOnlyList<EncodedInstruction> Examples, int Truncated, int Dropped)
{
    /// <summary>Number of tokens that count.</summary>
    public long Targets => Examples.Sum(example => (long)example.Targets);

    /// <summary>Encodes examples.</summary>
    /// <param name="examples">The examples.</param>
    /// <param name="encoder">What encodes them.</param>
    /// <param name="length">The greatest number of positions of one.</param>
    /// <param name="truncates">True to cut longer ones at their end, false to leave them out.</param>
    public static InstructionSet Encode(IEnumerable<Instruction> examples, InstructionEncoder encoder, int length, bool truncates)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        var encoded = new List<EncodedInstruction>();
        int truncated = 0, dropped = 0;
        foreach (var example in examples)
        {
            var whole = encoder.Encode(example);
            bool fits = whole.Length <= length;
            var kept = fits ? whole : new EncodedInstruction(whole.Ids[..(length + 1)], whole.Counts[..(length + 1)]);
            if ((!fits && !truncates) || kept.Targets == 0)
            {
                dropped++;
                continue;
            }

            if (!fits) truncated++;
            encoded.Add(kept);
        }

        return new InstructionSet(encoded, truncated, dropped);
    }

    /// <summary>Parts examples by a hash of what they say:
    /// the same example is on the same side whatever stands beside it and whatever a run's seed is.</summary>
    /// <param name="examples">The examples.</param>
    /// <param name="share">The share that is held out.</param>
    /// <param name="hash">Which of many hashes: what one of them has parted, another parts evenly.</param>
    public static (IReadOnlyList<Instruction> Training, IReadOnlyList<Instruction> HeldOut) Split(
        IEnumerable<Instruction> examples, double share, long hash = 0)
    {
        var sides = examples.ToLookup(example => (Hash(example, hash) >> 11) * (1.0 / (1UL << 53)) < share);
        return ([.. sides[false]], [.. sides[true]]);
    }

    private static ulong Hash(Instruction example, long seed)
    {
        var hash = new XxHash3(seed);
        foreach (var message in example.Messages)
        {
            hash.Append([(byte)message.Role]);
            hash.Append(MemoryMarshal.AsBytes(message.Content.AsSpan()));
            hash.Append(MemoryMarshal.AsBytes($"\n{message.Input}\n".AsSpan()));

            // What few examples have changes nothing for the others.
            if (message.Reasoning is not null) hash.Append(MemoryMarshal.AsBytes($"{message.Reasoning}\n".AsSpan()));
            foreach (var call in message.ToolCalls) hash.Append(MemoryMarshal.AsBytes($"{call.Name}\n{call.Arguments}\n".AsSpan()));
        }

        return hash.GetCurrentHashAsUInt64();
    }
}
