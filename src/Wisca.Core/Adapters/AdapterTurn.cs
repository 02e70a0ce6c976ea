using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Adapters;

/// <summary>
/// What rotations of a base mean for its adapter. A matrix that reads a turned space becomes W M with M = diag(g) R diag(1/g'), and A
/// becomes A M; one that writes into it becomes R^T W, and B becomes R^T B. What the adapter stores whole turns as the base's does. DoRA's
/// magnitudes follow the lengths of the merged rows, m'_i = m_i |row_i M| / |row_i|; where the rows themselves are mixed, none would
/// give the same function.
/// </summary>
internal sealed class AdapterTurn
{
    private const string Hint = "merge the adapter first (wisca merge), and rotate the merged model";

    private readonly AdapterBinding _binding;
    private readonly IReadOnlyList<SpaceTurn> _turns;
    private readonly List<(SpaceTurn Turn, List<RotatedSlice> Slices)> _mapped = [];
    private readonly List<LedgerVector> _vectors = [];
    private readonly Dictionary<string, TensorEdit> _edits;

    /// <param name="binding">The adapter and the base, whose weights are not turned yet.</param>
    /// <param name="turns">The rotations, in order.</param>
    /// <exception cref="WiscaException">Something in the adapter cannot follow.</exception>
    public AdapterTurn(AdapterBinding binding, IReadOnlyList<SpaceTurn> turns)
    {
        (_binding, _turns) = (binding, turns);
        if (binding.NewHeads is [var (_, head), ..] && turns.Any(turn => turn.Space.Kind == RotationKind.Stream))
            throw new WiscaException($"the adapter stores '{head}', which the base lacks: where it reads the stream is not known", Hint);
        var plan = new TurnPlan(binding.Adapter);
        var whole = Whole().ToLookup(entry => entry.Base, entry => entry.Tensor, StringComparer.Ordinal);
        foreach (var turn in turns)
        {
            foreach (string name in turn.Space.Gains.SelectMany(gain => new[] { gain.Tensor, gain.Bias }).OfType<string>())
            {
                if (whole[name].Any())
                    throw new WiscaException(
                        $"the adapter stores '{name}' whole: with a norm of its own it needs a rotation of its own", Hint);
            }

            var slices = turn.Space.Slices.SelectMany(slice => Map(slice, whole[slice.Tensor])).Distinct().ToList();
            foreach (var slice in slices) plan.Add(slice.Tensor, turn.Of(slice));
            _mapped.Add((turn, slices));
        }

        _edits = plan.Edits();
        foreach (var bound in Modules().Where(bound => bound.Module.Magnitude is not null)) AddMagnitude(bound);
    }

    /// <summary>Writes the adapter for the rotated base.</summary>
    /// <param name="folder">The staged folder.</param>
    /// <param name="history">The adapter's moves so far.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="cancellation">Stops it.</param>
    public void Write(OutputFolder folder, IReadOnlyList<LedgerMove> history, int threads, CancellationToken cancellation)
    {
        var adapter = _binding.Adapter;
        using var rewriter = new CheckpointRewriter(
            adapter, folder.Staging, _edits.Keys.ToHashSet(StringComparer.Ordinal), new ProgressCounter(null, 0));
        rewriter.Write(_ => _edits, threads, cancellation);

        // The gains are the base's: the file has them, and the adapter none, so that there is nothing else to undo them by.
        var turns = _turns.Select(turn => turn with
        {
            Space = turn.Space with { Gains = [.. turn.Space.Gains.Select(gain => gain with { Bias = null })] },
        }).ToList();
        string file = RotationFile.NameFor(history);
        RotationFile.Write(Path.Combine(folder.Staging, file), turns, new Dictionary<string, (double[], double[])>());
        var move = LedgerMove.Edited(rewriter.Digests) with
        {
            Vectors = _vectors.Count > 0 ? _vectors : null,
            Rotations =
            [
                .. _mapped.Zip(turns, (entry, turn) => new LedgerRotation(
                    turn.Space.Name, turn.Space.Kind, turn.Space.Size, file, entry.Slices, [.. turn.Space.Gains])),
            ],
        };
        CheckpointCopy.Complete(
            adapter, folder, files => new Ledger(Ledger.CurrentVersion, [.. history, move], files), cancellation);
    }

    private IEnumerable<BoundModule> Modules() =>
        _binding.UntiedHead?.Module is { } head ? _binding.Modules.Append(head) : _binding.Modules;

    /// <summary>What the adapter stores in the place of the base's tensors, or of rows of them.</summary>
    private IEnumerable<(string Base, string Tensor)> Whole()
    {
        foreach (var (tensor, replaced) in _binding.Saved) yield return (replaced.Info.Name, tensor.Info.Name);
        foreach (var (tokens, table) in _binding.Tokens) yield return (table.Info.Name, tokens.Rows.Info.Name);
        foreach (var bound in Modules())
        {
            if (bound.Stored is { } stored) yield return (bound.Weight.Info.Name, stored.Info.Name);
        }

        if (_binding.UntiedHead is not { } untied) yield break;
        if (untied.Replacement is { } replacement) yield return (untied.Embedding.Info.Name, replacement.Info.Name);
        if (untied.Tokens is { } own) yield return (untied.Embedding.Info.Name, own.Rows.Info.Name);
    }

    private IEnumerable<RotatedSlice> Map(RotatedSlice slice, IEnumerable<string> whole)
    {
        foreach (var bound in Modules().Where(bound => bound.Weight.Info.Name == slice.Tensor))
        {
            var module = bound.Module;
            if (module.Expert is not null || bound.Slab is not null)
                throw new WiscaException($"'{slice.Tensor}' is rotated, and its factors are stored with those of other experts", Hint);
            bool writes = slice.Axis == bound.OutputAxis;
            yield return slice with { Tensor = (writes ? module.B : module.A).Info.Name, Axis = writes ? 0 : 1 };
            if (writes && module.Bias is { } bias) yield return slice with { Tensor = bias.Info.Name, Axis = 0 };
            if (writes && module.Magnitude is not null)
                throw new WiscaException(
                    $"module '{module.Name}' has magnitudes (DoRA), one for each output, and its outputs are rotated", Hint);
        }

        foreach (string tensor in whole) yield return slice with { Tensor = tensor };
    }

    /// <summary>What a rotation does to the lengths of a module's rows, which is nothing but where gains go along.</summary>
    private void AddMagnitude(BoundModule bound)
    {
        var turns = (
            from turn in _turns
            from slice in turn.Space.Slices
            where slice.Tensor == bound.Weight.Info.Name && slice.Axis != bound.OutputAxis
            select (Turn: turn.Of(slice), slice.Gain)).ToList();
        if (turns.All(entry => entry.Gain is null)) return;
        var update = new LowRankUpdate(bound);
        double[] values = new double[checked(bound.Rows * bound.Columns)];
        bound.ForEachRow((row, merged) =>
        {
            update.AddTo(row, merged);
            merged.CopyTo(values, row * bound.Columns);
        });
        double[] before = Lengths();
        foreach (var (turn, _) in turns)
            turn.Apply(values, turn.Axis == 0 ? bound.Rows : bound.Columns, turn.Axis == 0 ? bound.Columns : 1);
        double[] factors = [.. Lengths().Zip(before, (now, then) => then == 0 ? 1 : now / then)];
        string magnitude = bound.Module.Magnitude!.Info.Name;
        _edits.Add(magnitude, new TensorScale(AxisFactors.Along(0, factors), KeepLosses: true));
        _vectors.Add(LedgerVector.Of(magnitude, factors));

        double[] Lengths()
        {
            double[] squares = new double[bound.Module.Outputs];
            for (int index = 0; index < values.Length; index++)
                squares[bound.Transposed ? index % bound.Columns : index / bound.Columns] += values[index] * values[index];
            return Array.ConvertAll(squares, Math.Sqrt);
        }
    }
}
