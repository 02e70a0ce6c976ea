using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>An adapter with magnitudes, which are the lengths of rows (DoRA): they follow when a gain before the rows changes.</summary>
internal interface IMagnitudeKeeper
{
    /// <summary>The magnitudes of what reads by certain tensors.</summary>
    /// <param name="readers">The tensors.</param>
    IEnumerable<string> MagnitudesOf(IReadOnlySet<string> readers);

    /// <summary>The lengths of the rows that such magnitudes go by, in float64.</summary>
    /// <param name="readers">The tensors.</param>
    /// <param name="values">The values of a tensor of the adapter: the trained ones, or an average of them.</param>
    IEnumerable<(string Magnitude, Tensor Lengths)> RowLengths(IReadOnlySet<string> readers, Func<string, Tensor> values);
}
