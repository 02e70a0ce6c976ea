using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Transitions;

namespace Wisca.Adapters;

/// <summary>
/// What the factors of a base mean for its adapter: W' = S W T^-1 keeps the function if B' = S B and A' = A T^-1. DoRA's magnitudes follow
/// the lengths of the merged rows, m'_i = m_i |row'_i| / |row_i|, which is the row's factor only where no column has one.
/// </summary>
internal sealed class AdapterMove
{
    private readonly AdapterBinding _binding;
    private readonly Dictionary<string, TensorScale> _scales = new(StringComparer.Ordinal);
    private readonly List<LedgerVector> _vectors = [];

    /// <param name="binding">The adapter and a base whose weights are read.</param>
    /// <param name="factors">The base's factors from the gauge that the adapter is in to the other one, by the base's names.</param>
    /// <param name="baseIsMoved">True where the base's weights on disk have the factors already.</param>
    /// <exception cref="WiscaException">A tensor of the adapter would overflow.</exception>
    public AdapterMove(AdapterBinding binding, IReadOnlyDictionary<string, AxisFactors> factors, bool baseIsMoved)
    {
        _binding = binding;
        foreach (var bound in binding.Modules)
        {
            if (!factors.TryGetValue(bound.Weight.Info.Name, out var along)) continue;
            if (bound.Module.Expert is not null)
                throw new WiscaException(
                    $"'{bound.Weight.Info.Name}' is rescaled, and its factors are stored with those of other experts",
                    "leave its transition out, or merge the adapter first");
            double[]? outputs = along.Of(bound.OutputAxis), inputs = along.Of(1 - bound.OutputAxis);
            if (outputs is not null) Add(bound.Module.B, 0, outputs);
            if (inputs is not null) Add(bound.Module.A, 1, inputs);
            if (outputs is not null && bound.Module.Bias is { } bias) Add(bias, 0, outputs);
            if (bound.Module.Magnitude is not { } magnitude) continue;
            double[] lengths = outputs ?? [];
            if (inputs is not null)
            {
                var (plain, scaled) = LowRankUpdate.Norms(bound, 1 - bound.OutputAxis, inputs, baseIsMoved, outputs);
                lengths = [.. scaled.Zip(plain, (after, before) => before == 0 ? 1 : after / before)];

                // One factor for all columns is each row's factor too; measuring it would only add rounding.
                if (Array.TrueForAll(inputs, factor => factor == inputs[0])) Array.Fill(lengths, inputs[0]);

                // The rows' own factors are told by the groups.
                _vectors.Add(LedgerVector.Of(magnitude.Info.Name, lengths));
                if (outputs is not null) lengths = [.. lengths.Zip(outputs, (length, factor) => length * factor)];
            }

            Add(magnitude, 0, lengths);
        }

        foreach (var (tensor, weight) in binding.Saved)
        {
            if (factors.TryGetValue(weight.Info.Name, out var along)) _scales[tensor.Info.Name] = new TensorScale(along, KeepLosses: true);
        }

        CheckRange();
    }

    /// <summary>Writes the adapter in the other gauge.</summary>
    /// <param name="folder">The staged folder.</param>
    /// <param name="moves">The adapter's moves that are history.</param>
    /// <param name="baseMoves">The base's moves that are made now; none where they are taken back.</param>
    /// <param name="forOriginal">True where the other gauge is that of the original base.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="cancellation">Stops it.</param>
    public Ledger Write(
        OutputFolder folder, IReadOnlyList<LedgerMove> moves, IReadOnlyList<LedgerMove> baseMoves, bool forOriginal, int threads,
        CancellationToken cancellation)
    {
        var adapter = _binding.Adapter;
        using var rewriter = new CheckpointRewriter(
            adapter, folder.Staging, _scales.Keys.ToHashSet(StringComparer.Ordinal), new ProgressCounter(null, 0));
        rewriter.Write(
            _ => _scales.ToDictionary(entry => entry.Key, entry => (TensorEdit)entry.Value, StringComparer.Ordinal),
            threads,
            cancellation);

        // All moves are made at once: the first leads from the old bytes to the new ones, and the others change nothing more.
        var digests = rewriter.Digests;
        var settled = new SortedDictionary<string, TensorDigests>(
            digests.ToDictionary(entry => entry.Key, entry => entry.Value with { Before = entry.Value.After }),
            StringComparer.Ordinal);
        var mapped = baseMoves.Where(move => move.Groups.Count > 0).Select((move, index) => Map(move) with
        {
            Tensors = index == 0 ? digests : settled,
            Lost = index == 0 ? rewriter.Lost : [],
            Vectors = index == 0 && _vectors.Count > 0 ? _vectors : null,
            InTraining = false,
        });
        Ledger? ledger = null;
        CheckpointCopy.Complete(
            adapter,
            folder,
            files => ledger = new Ledger(Ledger.CurrentVersion, [.. moves, .. mapped], files, forOriginal),
            cancellation);
        return ledger!;
    }

    private void Add(StoredTensor tensor, int axis, double[] factors) =>
        _scales[tensor.Info.Name] = new TensorScale(AxisFactors.Along(axis, factors), KeepLosses: true);

    private void CheckRange()
    {
        foreach (var (name, scale) in _scales)
        {
            if (LossScan.FirstOverflow(_binding.Adapter, name, scale.Factors) is { } index)
                throw new WiscaException(
                    $"tensor '{name}' of the adapter would overflow {_binding.Adapter.Find(name)!.Info.Dtype} at index {index}",
                    "convert the adapter to F32 first");
        }
    }

    /// <summary>A move of the base, told of the adapter's tensors. Its groups and factors stay; the norms are those of the base.</summary>
    private LedgerMove Map(LedgerMove move) =>
        move with
        {
            Groups = [.. move.Groups.Select(group => group with { Slices = [.. group.Slices.SelectMany(Map)] })],
        };

    private IEnumerable<LedgerSlice> Map(LedgerSlice slice)
    {
        foreach (var bound in _binding.Modules.Where(bound => bound.Weight.Info.Name == slice.Tensor))
        {
            bool rows = slice.Axis == bound.OutputAxis;
            yield return slice with { Tensor = (rows ? bound.Module.B : bound.Module.A).Info.Name, Axis = rows ? 0 : 1 };
            if (rows && bound.Module.Magnitude is { } magnitude) yield return slice with { Tensor = magnitude.Info.Name, Axis = 0 };
            if (rows && bound.Module.Bias is { } bias) yield return slice with { Tensor = bias.Info.Name, Axis = 0 };
        }

        foreach (var (tensor, _) in _binding.Saved.Where(pair => pair.Base.Info.Name == slice.Tensor))
            yield return slice with
            {
                Tensor = tensor.Info.Name,
            };
    }
}
