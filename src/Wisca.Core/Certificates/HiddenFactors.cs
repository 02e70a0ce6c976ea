using Wisca.Checkpoints;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Certificates;

/// <summary>
/// The factors of MLPs between two models whose residual stream is turned. A turn keeps the length of what it turns, so that the lengths
/// of a hidden channel's weights tell its factor whatever the basis is. A factor is taken for one only where writers and readers agree on
/// it; what is left is the rotation's to explain, element by element.
/// </summary>
internal sealed class HiddenFactors
{
    private readonly Dictionary<string, double[]> _factors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (ScaledAxis Slice, double[] Factors)> _biases = new(StringComparer.Ordinal);
    private readonly List<string> _spaces = [];

    /// <summary>Finds them.</summary>
    /// <param name="a">The reference.</param>
    /// <param name="b">The other.</param>
    /// <param name="exchanges">The exchanges of MLPs, channel by channel.</param>
    /// <param name="slices">What lies in the stream, by tensor.</param>
    /// <param name="gains">The gains of both models, by tensor.</param>
    /// <param name="kinship">What the ledgers say of the two.</param>
    public HiddenFactors(
        Checkpoint a, Checkpoint b, IEnumerable<Exchange> exchanges, ILookup<string, RotatedSlice> slices,
        IReadOnlyDictionary<string, (double[] Before, double[] After)> gains, Kinship kinship)
    {
        foreach (var exchange in exchanges)
        {
            var weights = exchange.Slices.Where(slice => !slice.IsBias).ToList();

            // Weights that read or write anything but the stream would have to be followed further.
            if (weights.Any(slice => slices[slice.Tensor].Take(2).Count() != 1)) continue;
            int channels = exchange.GroupOfChannel.Length;
            var lengths = weights.Select(Lengths).ToList();
            double[] factors = new double[channels];
            bool any = false;
            for (int channel = 0; channel < channels; channel++) any |= (factors[channel] = Factor(channel)) != 1;
            if (!any) continue;
            _spaces.Add(exchange.Space);
            foreach (var slice in weights)
                Put(slice, factors, new FibreView(b.Find(slice.Tensor)!, slices[slice.Tensor].Single().Axis).Count);
            foreach (var bias in exchange.Slices.Where(slice => slice.IsBias)) _biases[bias.Tensor] = (bias, factors);

            double Factor(int channel)
            {
                // Of each side one sum of squares: what writes a channel, and what reads it.
                double up = 0, upAfter = 0, down = 0, downAfter = 0, noise = 0;
                for (int index = 0; index < weights.Count; index++)
                {
                    var (before, after, count) = lengths[index];
                    if (weights[index].Exponent > 0) (up, upAfter) = (up + before[channel], upAfter + after[channel]);
                    else (down, downAfter) = (down + before[channel], downAfter + after[channel]);
                    var rounding = RotationNoise.Of(b.Find(weights[index].Tensor)!.Info.Dtype, kinship);
                    noise = Math.Max(noise, RotationNoise.Deviations * rounding.Deviation * Math.Sqrt(6.0 / count));
                }

                double written = Math.Sqrt(upAfter / up), read = Math.Sqrt(downAfter / down), tolerance = exchange.Degree * noise;
                return double.IsFinite(written) && written > 0 && Math.Abs(written - 1) > 2 * tolerance
                    && Math.Abs((Math.Pow(written, exchange.Degree) * read) - 1) <= tolerance ? written : 1;
            }

            (double[] Before, double[] After, int Count) Lengths(ScaledAxis slice)
            {
                var rotated = slices[slice.Tensor].Single();
                FibreView left = new(a.Find(slice.Tensor)!, rotated.Axis), right = new(b.Find(slice.Tensor)!, rotated.Axis);
                (double[] Before, double[] After)? gain = rotated.Gain is { } name ? gains[name] : null;
                return (
                    Squares(left, slice, gain?.Before, channels), Squares(right, slice, gain?.After, channels), left.Length);
            }
        }
    }

    /// <summary>The MLPs that have factors other than 1.</summary>
    public IEnumerable<string> Spaces => _spaces;

    /// <summary>Takes the factors out of rows of the second model's tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="values">The rows.</param>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="length">Length of a row.</param>
    public void TakeOut(string tensor, double[] values, int firstRow, int length)
    {
        if (!_factors.TryGetValue(tensor, out double[]? factors)) return;
        for (int i = 0; i < values.Length; i++) values[i] /= factors[firstRow + (i / length)];
    }

    /// <summary>True where a bias that lies in no stream is the first's, times the factors.</summary>
    public bool Explains(string bias, double[] before, double[] after, RotationNoise noise)
    {
        if (!_biases.TryGetValue(bias, out var entry)) return false;
        double[] factors = Spread(entry.Slice, entry.Factors, before.Length);
        for (int i = 0; i < before.Length; i++)
        {
            double expected = before[i] * factors[i];
            if (!(Math.Abs(after[i] - expected) <= noise.Allowed(expected, 1, noise.Deviation * Math.Abs(expected)))) return false;
        }

        return true;
    }

    private void Put(ScaledAxis slice, double[] factors, int rows)
    {
        double[] own = Spread(slice, factors, rows);
        if (!_factors.TryGetValue(slice.Tensor, out double[]? all)) _factors.Add(slice.Tensor, own);
        else
        {
            for (int i = 0; i < all.Length; i++) all[i] *= own[i];
        }
    }

    /// <summary>What each index of a tensor's hidden axis is multiplied by.</summary>
    private static double[] Spread(ScaledAxis slice, double[] factors, int length)
    {
        double[] spread = new double[length];
        Array.Fill(spread, 1);
        foreach (var run in slice.Runs)
        {
            for (int i = 0; i < run.Count; i++) spread[run.Start + i] = slice.Power(factors[run.Channel + i]);
        }

        return spread;
    }

    /// <summary>The square of the length of each channel's part of a tensor, gains counted.</summary>
    private static double[] Squares(FibreView view, ScaledAxis slice, double[]? gains, int channels)
    {
        double[] rows = new double[view.Count], squares = new double[channels];
        for (int block = 0; block < view.Blocks; block++)
        {
            double[] values = view.Read(block);
            for (int i = 0; i < values.Length; i++)
            {
                double value = values[i] * (gains?[i % view.Length] ?? 1);
                rows[(block * view.AtOnce) + (i / view.Length)] += value * value;
            }
        }

        foreach (var run in slice.Runs)
        {
            for (int i = 0; i < run.Count; i++) squares[run.Channel + i] += rows[run.Start + i];
        }

        return squares;
    }
}
