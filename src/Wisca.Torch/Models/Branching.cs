using TorchSharp;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Sequences that fork: behind a common beginning, the trunk, lie several branches one after the other. Each branch sees the trunk and
/// itself, as if it stood directly behind the trunk, so that the trunk is computed once for all of them. Without a trunk, branches are
/// sequences of their own that share a row.
/// </summary>
/// <param name="Positions">[B, T] as int64: the place of each token in its own sequence of trunk and branch.</param>
/// <param name="Branches">[B, T] as int64: 0 for the trunk, if there is one, which comes first, and another number for each branch.</param>
public sealed record Branching(Tensor Positions, Tensor Branches)
{
    /// <summary>0 where a query sees a key and minus infinity elsewhere, [B, 1, T, T].</summary>
    internal Tensor Mask(int? window, ScalarType dtype)
    {
        Tensor keys = Branches.unsqueeze(1), queries = Branches.unsqueeze(2);
        var seen = (keys.logical_not() | keys.eq(queries)).tril();
        if (window is not null)
        {
            using var width = window.Value.ToScalar();
            seen = seen & (Positions.unsqueeze(2) - Positions.unsqueeze(1)).lt(width);
        }

        using var unseen = double.NegativeInfinity.ToScalar();
        return zeros(seen.shape, dtype, seen.device).masked_fill_(seen.logical_not(), unseen).unsqueeze(1);
    }

    /// <summary>
    /// The keys among those before it that each token does not see, a range: those between the trunk and the beginning of its own branch,
    /// first and end alternating, [B, T, 2]. Null where branches do not lie one after the other behind the trunk.
    /// </summary>
    internal int[]? HiddenKeys()
    {
        long rows = Branches.shape[0], length = Branches.shape[1];
        long[] branches = Branches.cpu().contiguous().data<long>().ToArray();
        int[] hidden = new int[2 * branches.Length];
        for (long row = 0; row < rows; row++)
        {
            var line = branches.AsSpan((int)(row * length), (int)length);
            var seen = new HashSet<long>();
            int trunk = 0, begin = 0;
            while (trunk < line.Length && line[trunk] == 0) trunk++;
            for (int i = trunk; i < line.Length; i++)
            {
                if (i == trunk || line[i] != line[i - 1])
                {
                    begin = i;
                    if (line[i] == 0 || !seen.Add(line[i])) return null;
                }

                int at = 2 * (int)((row * length) + i);
                (hidden[at], hidden[at + 1]) = (trunk, begin);
            }
        }

        return hidden;
    }
}
