using System.Globalization;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Certificates;

/// <summary>
/// Finds the rotation of the residual stream that lies between two models, and holds every tensor on the stream against it. A reader
/// W behind a norm with gain g counts as W diag(g), whatever became of g itself: W' diag(g') = W diag(g) R is all that is required.
/// </summary>
/// <param name="a">The reference.</param>
/// <param name="b">The other.</param>
/// <param name="space">The residual stream.</param>
/// <param name="kinship">What the ledgers say of the two.</param>
/// <param name="inHeads">The tensors of attention, whose elements that differ are noted: a head may have another basis.</param>
/// <param name="mlps">The exchanges of MLPs, whose factors may lie between the two besides.</param>
/// <param name="threads">Number of threads.</param>
/// <param name="cancellation">Stops it.</param>
internal sealed class StreamComparison(
    Checkpoint a, Checkpoint b, RotatedSpace space, Kinship kinship, HashSet<string> inHeads, IEnumerable<Exchange> mlps, int threads,
    CancellationToken cancellation)
{
    // So many disjoint sets of tensors are asked for the rotation: a tensor that is wrong spoils one of them.
    private const int Witnesses = 3;

    // Where all tensors together are no larger than so many moments' elements, each is also left out once.
    private const int MostMoments = 1 << 23;

    private readonly Dictionary<string, (double[] Before, double[] After)> _gains = space.Gains.ToDictionary(
        gain => gain.Tensor,
        gain => (new TurnPlan(a).Gain(gain), new TurnPlan(b).Gain(gain)),
        StringComparer.Ordinal);

    private HiddenFactors? _hidden;

    /// <summary>The factors of MLPs.</summary>
    public HiddenFactors Hidden => LazyInitializer.EnsureInitialized(
        ref _hidden,
        () => new HiddenFactors(a, b, mlps, space.Slices.ToLookup(slice => slice.Tensor, StringComparer.Ordinal), _gains, kinship));

    /// <summary>The names of all tensors on the stream.</summary>
    public static HashSet<string> Tensors(RotatedSpace space) =>
        [
            .. space.Slices.Select(slice => slice.Tensor), .. space.Gains.Select(gain => gain.Tensor),
            .. space.Gains.Select(gain => gain.Bias).OfType<string>(),
        ];

    /// <summary>The rotation with which the fewest tensors disagree; null where no rotation explains even half of them.</summary>
    public (StreamBasis Basis, List<StreamFinding> Findings)? Find()
    {
        (StreamBasis Basis, List<StreamFinding> Findings)? best = null;
        foreach (var basis in Candidates())
        {
            var findings = Findings(basis);
            if (best is null || Wrong(findings) < Wrong(best.Value.Findings)) best = (basis, findings);
            if (Wrong(best.Value.Findings) == 0) break;
        }

        return best is { } found && 2 * Wrong(found.Findings) <= found.Findings.Count(Tells) ? found : null;

        int Wrong(List<StreamFinding> findings) => findings.Count(finding => Tells(finding) && finding.Difference is not null);

        // Heads of another basis are no fault of the stream's, and gains tell nothing of it.
        bool Tells(StreamFinding finding) => finding.Tolerance > 0 && !inHeads.Contains(finding.Tensor);
    }

    /// <summary>What a tensor of the reference is in the second's basis, and what the second has: gains counted with their readers.
    /// </summary>
    public (double[] Expected, double[] Actual) Turned(string tensor, StreamBasis basis)
    {
        double[] expected = new TurnPlan(a).All(tensor), actual = new TurnPlan(b).All(tensor);
        var shape = a.Find(tensor)!.Info.Shape;
        foreach (var slice in space.Slices.Where(slice => slice.Tensor == tensor))
        {
            int length = (int)shape[slice.Axis], inner = (int)shape.Skip(slice.Axis + 1).Aggregate(1L, (product, size) => product * size);
            if (slice.Gain is { } gain)
            {
                AxisTurn.Scale(slice.Axis, _gains[gain].Before).Apply(expected, length, inner);
                AxisTurn.Scale(slice.Axis, _gains[gain].After).Apply(actual, length, inner);
            }

            new AxisTurn(slice.Axis, 0, space.Size, basis.Matrix, null, null).Apply(expected, length, inner);
        }

        return (expected, actual);
    }

    /// <summary>
    /// Rotations, each from tensors of its own: embeddings first, then the head, then the layers. Then, of a small model, which has too
    /// few tensors for that, from all but one.
    /// </summary>
    private IEnumerable<StreamBasis> Candidates()
    {
        int n = space.Size, found = 0;
        double[] sum = new double[n * n];
        long rows = 0;
        RotatedSlice[] slices =
        [
            .. space.Slices.Where(slice => slice.Role != SliceRole.Bias && !inHeads.Contains(slice.Tensor) && IsOnce(slice.Tensor))
                .OrderBy(slice => slice.Role switch { SliceRole.Embedding => 0, SliceRole.Head => 1, _ => 2 }),
        ];
        foreach (var slice in slices)
        {
            cancellation.ThrowIfCancellationRequested();
            rows += AddMoment(slice, sum);
            if (rows < n || StreamBasis.Of(sum, n) is not { IsSharp: true } basis) continue;
            yield return basis;
            if (++found == Witnesses) break;
            Array.Clear(sum);
            rows = 0;
        }

        if ((long)slices.Length * n * n > MostMoments)
        {
            if (found == 0 && StreamBasis.Of(sum, n) is { } blunt) yield return blunt;
            yield break;
        }

        double[][] moments = [.. slices.Select(_ => new double[n * n])];
        for (int index = 0; index < slices.Length; index++) AddMoment(slices[index], moments[index]);
        for (int without = -1; without < slices.Length; without++)
        {
            Array.Clear(sum);
            for (int index = 0; index < slices.Length; index++)
            {
                if (index != without) MatrixProduct.AddMultiple(sum, moments[index], 1);
            }

            if (StreamBasis.Of(sum, n) is { } basis) yield return basis;
        }
    }

    private bool IsOnce(string tensor) => space.Slices.Count(slice => slice.Tensor == tensor) == 1;

    /// <summary>Adds A^T A' of a tensor's rows, scaled to elements of mean square 1; of a long tensor only some blocks of rows.</summary>
    private long AddMoment(RotatedSlice slice, double[] sum)
    {
        int n = space.Size;
        FibreView left = new(a.Find(slice.Tensor)!, slice.Axis), right = new(b.Find(slice.Tensor)!, slice.Axis);
        int wanted = Math.Min(left.Blocks, Math.Max(1, (8 * n / left.AtOnce) + 1));
        double[] moment = new double[n * n];
        double square = 0;
        long rows = 0;
        for (int index = 0; index < wanted; index++)
        {
            var (x, y) = Rows(left, right, (int)((long)index * left.Blocks / wanted), slice.Gain);
            int count = x.Length / n;
            foreach (double value in x) square += value * value;
            MatrixProduct.Add(FibreView.Transposed(x, count, n), y, moment, n, count, n);
            rows += count;
        }

        if (!(square > 0) || !moment.All(double.IsFinite)) return 0;
        MatrixProduct.AddMultiple(sum, moment, rows * n / square);

        // A norm that takes the mean away has a direction of its own, which no rotation may leave.
        if (space.KeepsOnes)
        {
            for (int i = 0; i < sum.Length; i++) sum[i] += (double)rows / n;
        }

        return rows;
    }

    private (double[] X, double[] Y) Rows(FibreView left, FibreView right, int block, string? gain)
    {
        double[] x = left.Read(block), y = right.Read(block);
        Hidden.TakeOut(right.Tensor.Info.Name, y, block * right.AtOnce, right.Length);
        if (gain is null) return (x, y);
        var (before, after) = _gains[gain];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] *= before[i % before.Length];
            y[i] *= after[i % after.Length];
        }

        return (x, y);
    }

    private List<StreamFinding> Findings(StreamBasis basis)
    {
        var findings = new List<StreamFinding>();
        var work = new List<Func<StreamFinding>>();
        foreach (var slices in space.Slices.GroupBy(slice => slice.Tensor, StringComparer.Ordinal))
            work.Add(() => slices.Count() == 1 ? OfSlice(slices.Single(), basis) : OfSquare([.. slices], basis));
        foreach (var gain in space.Gains)
        {
            work.Add(() => OfGain(gain));
            if (gain.Bias is { } bias) work.Add(() => OfNormBias(gain, bias, basis));
        }

        Workers.Run(
            work,
            threads,
            compare =>
            {
                var finding = compare();
                lock (findings) findings.Add(finding);
            },
            cancellation);
        return [.. findings.OrderBy(finding => finding.Tensor, StringComparer.Ordinal)];
    }

    private StreamFinding OfSlice(RotatedSlice slice, StreamBasis basis)
    {
        int n = space.Size;
        FibreView left = new(a.Find(slice.Tensor)!, slice.Axis), right = new(b.Find(slice.Tensor)!, slice.Axis);
        double[]? gains = slice.Gain is { } gain ? _gains[gain].After : null;
        var tally = new StreamTally(left, basis, RotationNoise.Of(right.Tensor.Info.Dtype, kinship), gains, inHeads.Contains(slice.Tensor));
        for (int block = 0; block < left.Blocks; block++)
        {
            cancellation.ThrowIfCancellationRequested();
            var (x, y) = Rows(left, right, block, slice.Gain);
            double[] expected = new double[x.Length];
            MatrixProduct.Add(x, basis.Matrix, expected, x.Length / n, n, n);
            tally.Add(expected, y, block * left.AtOnce);
        }

        return tally.Finding();
    }

    /// <summary>A tensor that lies in the stream along two axes: whole, and held against the first of them.</summary>
    private StreamFinding OfSquare(RotatedSlice[] slices, StreamBasis basis)
    {
        var view = new FibreView(a.Find(slices[0].Tensor)!, slices[0].Axis);
        var (expected, actual) = Turned(slices[0].Tensor, basis);
        double[]? gains = slices[0].Gain is { } gain ? _gains[gain].After : null;
        var tally = new StreamTally(view, basis, RotationNoise.Of(view.Tensor.Info.Dtype, kinship), gains, false);
        int elements = view.Length * view.Inner;
        for (int first = 0; first < expected.Length; first += elements)
        {
            tally.Add(
                FibreView.Transposed(expected.AsSpan(first, elements), view.Length, view.Inner),
                FibreView.Transposed(actual.AsSpan(first, elements), view.Length, view.Inner),
                first / view.Length);
        }

        return tally.Finding();
    }

    private StreamFinding OfNormBias(RotatedGain gain, string bias, StreamBasis basis)
    {
        FibreView left = new(a.Find(bias)!, 0), right = new(b.Find(bias)!, 0);
        var (before, after) = _gains[gain.Tensor];
        double[] x = left.Read(0), y = right.Read(0), expected = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] /= before[i];
            y[i] /= after[i];
        }

        MatrixProduct.Add(x, basis.Matrix, expected, 1, x.Length, x.Length);
        var tally = new StreamTally(
            left, basis, RotationNoise.Of(right.Tensor.Info.Dtype, kinship), Array.ConvertAll(after, value => 1 / value), false);
        tally.Add(expected, y, 0);
        return tally.Finding();
    }

    /// <summary>A gain may be anything that its readers make up for, but where nothing makes up for it.</summary>
    private StreamFinding OfGain(RotatedGain gain)
    {
        var (before, after) = _gains[gain.Tensor];
        string? difference = null;
        if (gain.MustBeUniform)
        {
            int uneven = Array.FindIndex(after, value => value != after[0]);
            if (before.AsSpan().ContainsAnyExcept(before[0]))
                difference = $"gain '{gain.Tensor}' of the first is not the same for all channels, so that no rotation is exact";
            else if (uneven >= 0 || after[0] != before[0])
                difference = string.Create(
                    CultureInfo.InvariantCulture,
                    $"gain '{gain.Tensor}' is {after[Math.Max(uneven, 0)]:G9} at channel {Math.Max(uneven, 0)} where it must stay "
                    + $"{before[0]:G9}: nothing reads behind it that could make up for it");
        }
        else if (Array.FindIndex(after, value => value == 0 || !double.IsFinite(value)) is >= 0 and var wrong)
            difference = string.Create(CultureInfo.InvariantCulture, $"gain '{gain.Tensor}' is {after[wrong]:G9} at channel {wrong}");
        return new StreamFinding(gain.Tensor, 0, 0, difference, [], []);
    }
}
