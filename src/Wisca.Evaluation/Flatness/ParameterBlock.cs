using System.Collections.Immutable;
using TorchSharp;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>The parameters on one side of an exchange, or all that are on neither: a diagonal block of the Hessian.</summary>
/// <param name="Slices">Which indices of which tensors; a tensor may occur several times.</param>
internal sealed record ParameterBlock(ImmutableArray<(string Tensor, int Axis, ImmutableArray<int> Indices)> Slices)
{
    /// <summary>The tensors that the block reaches into.</summary>
    public IReadOnlySet<string> Tensors { get; } = Slices.Select(slice => slice.Tensor).ToHashSet(StringComparer.Ordinal);

    /// <summary>One side of a group of an exchange, biases included, since they are scaled too.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="group">The group.</param>
    /// <param name="exponent">+1 for the side that is multiplied, -1 for the one that is divided.</param>
    public static ParameterBlock Of(Exchange exchange, int group, int exponent) => new(
    [
        .. exchange.Slices.Where(slice => slice.Exponent == exponent).Select(slice => (slice.Tensor, slice.Axis, (ImmutableArray<int>)
        [
            .. from run in slice.Runs
            from i in Enumerable.Range(0, run.Count)
            where exchange.GroupOfChannel[run.Channel + i] == @group
            select run.Start + i,
        ])),
    ]);

    /// <summary>1 inside and 0 outside, [dimension].</summary>
    public Tensor Mask(ParameterSpace space)
    {
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        var mask = zeros([space.Dimension], space.Dtype, space.Device);
        var parts = space.Split(mask);
        using var inside = 1.ToScalar();
        foreach (var (name, axis, indices) in Slices)
        {
            var index = tensor(indices.Select(i => (long)i).ToArray(), device: space.Device);
            parts[space.Names.ToList().IndexOf(name)].index_fill_(axis, index, inside);
        }

        return mask.MoveToOuterDisposeScope();
    }
}
