using System.Collections.Immutable;

namespace Wisca.Transitions;

/// <summary>What one tensor takes part with in an exchange.</summary>
/// <param name="Tensor">The tensor's full name.</param>
/// <param name="Axis">
/// The axis along which the channels lie: 0 for rows (and the only axis of a bias), 1 for columns. A stack of matrices counts as one below
/// the other: its rows are numbered through.
/// </param>
/// <param name="Exponent">
/// The power of the factor s that the tensor is multiplied by: +1 on the one side, -1 on the other, or -2 behind a squared activation.
/// </param>
/// <param name="IsBias">True for a bias: it follows its rows, but does not count in the norms.</param>
/// <param name="Runs">Which indices belong to which channels.</param>
public sealed record ScaledAxis(string Tensor, int Axis, int Exponent, bool IsBias, ImmutableArray<ChannelRun> Runs)
{
    /// <summary>
    /// Number of matrices of a stack of which each has columns of its own: the columns of the second follow those of the first in
    /// <see cref="Runs"/>. 1 where all rows share the columns.
    /// </summary>
    public int Parts { get; init; } = 1;

    /// <summary>True where what is multiplied is 1 plus what is stored.</summary>
    public bool AddsOne { get; init; }

    /// <summary>
    /// True for a norm's gain. It has one element where its readers have a column: in norms it counts as if it had as many.
    /// </summary>
    public bool IsGain { get; init; }

    /// <summary>The power of s for one factor.</summary>
    internal double Power(double factor) => Exponent switch
    {
        1 => factor,
        -1 => 1 / factor,
        _ => Math.Pow(factor, Exponent),
    };
}
