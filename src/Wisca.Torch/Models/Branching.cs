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
}
