using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Gathers what a list of turns makes of every tensor of a checkpoint: each is read once and rounded once, whatever happens to
/// it.</summary>
internal sealed class TurnPlan(IWeightFolder checkpoint)
{
    private const string Hint = "the ledger and the weights do not belong together";
    private readonly Dictionary<string, List<AxisTurn>> _turns = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double[]> _vectors = new(StringComparer.Ordinal);

    /// <summary>The edits, by tensor.</summary>
    public Dictionary<string, TensorEdit> Edits() =>
        _turns.Select(entry => (entry.Key, (TensorEdit)new TurnEdit(Find(entry.Key), entry.Value)))
            .Concat(_vectors.Select(entry => (entry.Key, Edit: (TensorEdit)new VectorEdit(entry.Value))))
            .ToDictionary(StringComparer.Ordinal);

    /// <summary>True where a gain is in the checkpoint. An adapter has none: those of its base are in the file of a rotation.</summary>
    public bool Holds(RotatedGain gain) => checkpoint is Checkpoint || checkpoint.Find(gain.Tensor) is not null;

    /// <summary>A gain as it is now, with 1 where it is added.</summary>
    public double[] Gain(RotatedGain gain)
    {
        double[] values = Vector(gain.Tensor);
        return gain.AddsOne ? Array.ConvertAll(values, value => 1 + value) : values;
    }

    /// <summary>A vector as it is now.</summary>
    public double[] Vector(string tensor)
    {
        if (_vectors.TryGetValue(tensor, out double[]? values)) return [.. values];
        var stored = Find(tensor);
        if (stored.Info.Shape.Length != 1)
            throw new WiscaException($"tensor '{tensor}' has shape {stored.Info.ShapeText}, expected a vector", Hint);
        return All(tensor);
    }

    /// <summary>All elements of a tensor as they are stored.</summary>
    public double[] All(string tensor)
    {
        var matrix = new MatrixView(Find(tensor), 0);
        double[] values = new double[checked(matrix.Rows * matrix.Columns)];
        using var reader = new RowReader(matrix);
        for (int row = 0; row < matrix.Rows; row++) reader.Decode(row, values.AsSpan(row * matrix.Columns, matrix.Columns));
        return values;
    }

    /// <summary>A gain rounded to the type that it is stored in, with 1 where it is added: what its readers must make up for.</summary>
    public double[] Rounded(RotatedGain gain, double[] values)
    {
        double[] stored = Rounded(gain.Tensor, gain.AddsOne ? Array.ConvertAll(values, value => value - 1) : values);
        return gain.AddsOne ? Array.ConvertAll(stored, value => 1 + value) : stored;
    }

    /// <summary>Numbers rounded to a tensor's type.</summary>
    public double[] Rounded(string tensor, double[] values)
    {
        var dtype = Find(tensor).Info.Dtype;
        byte[] bytes = new byte[values.Length * dtype.Bits() / 8];
        double[] rounded = new double[values.Length];
        Elements.Encode(dtype, values, bytes);
        Elements.Decode(dtype, bytes, rounded);
        return rounded;
    }

    /// <summary>Adds a rotation of a space: its slices, the gains of its norms and their biases.</summary>
    /// <param name="turn">The rotation.</param>
    /// <param name="biases">What the norms' biases become; null to compute it.</param>
    /// <returns>What the norms' biases were, and what they become.</returns>
    public Dictionary<string, (double[] Before, double[] After)> Add(
        SpaceTurn turn, IReadOnlyDictionary<string, double[]>? biases = null)
    {
        foreach (var slice in turn.Space.Slices)
        {
            var shape = Find(slice.Tensor).Info.Shape;
            if (slice.Axis >= shape.Length || slice.Start + turn.Space.Size > shape[slice.Axis])
                throw new WiscaException(
                    $"tensor '{slice.Tensor}' has no {turn.Space.Size} channels from {slice.Start} on along axis {slice.Axis}", Hint);
            Add(slice.Tensor, turn.Of(slice));
        }

        var changed = new Dictionary<string, (double[], double[])>(StringComparer.Ordinal);
        foreach (var gain in turn.Space.Gains.Where(Holds))
        {
            double[] after = turn.Gains[gain.Tensor].After;
            if (gain.Bias is { } bias)
            {
                double[] before = Vector(bias), become;
                if (biases?.GetValueOrDefault(bias) is { } given) become = given;
                else
                {
                    become = [.. before];
                    turn.OfBias(gain).Apply(become, become.Length, 1);
                    become = Rounded(bias, become);
                }

                changed[bias] = (before, become);
                _vectors[bias] = become;
            }

            if (!gain.MustBeUniform) _vectors[gain.Tensor] = gain.AddsOne ? Array.ConvertAll(after, value => value - 1) : after;
        }

        return changed;
    }

    /// <summary>Adds factors of a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="factors">The factors.</param>
    /// <param name="isOfNorm">True for a gain or a bias of a norm that is rotated too: it is multiplied as it is now.</param>
    public void Scale(string tensor, AxisFactors factors, bool isOfNorm)
    {
        if (isOfNorm)
        {
            double[] values = Vector(tensor), along = factors.Rows!;
            double offset = factors.AddsOne ? 1 : 0;
            for (int i = 0; i < values.Length; i++) values[i] = (along[i] * (offset + values[i])) - offset;
            _vectors[tensor] = Rounded(tensor, values);
            return;
        }

        var shape = Find(tensor).Info.Shape;
        foreach (int axis in (int[])[0, 1])
        {
            if (factors.Of(axis) is not { } along) continue;
            int columns = (int)shape[^1];
            if (shape.Length == 1 || (axis == 1 && along.Length == columns)) Add(tensor, AxisTurn.Scale(shape.Length - 1, along));
            else if (axis == 0) Add(tensor, AxisTurn.Scale(0, along) with { Inner = columns });
            else
            {
                // Columns of each matrix of a stack: a factor for each element.
                int all = checked((int)Find(tensor).Info.ElementCount), part = all / (along.Length / columns);
                double[] each = new double[all];
                for (int i = 0; i < all; i++) each[i] = along[(i / part * columns) + (i % columns)];
                Add(tensor, AxisTurn.Scale(0, each) with { Inner = 1 });
            }
        }
    }

    /// <summary>Adds a turn of a tensor, or a factor for each index of an axis.</summary>
    public void Add(string tensor, AxisTurn turn)
    {
        if (_turns.TryGetValue(tensor, out var turns)) turns.Add(turn);
        else _turns.Add(tensor, [turn]);
    }

    private StoredTensor Find(string tensor) =>
        checkpoint.Find(tensor) is not { } stored
            ? throw new WiscaException($"{Ledger.FileName} names tensor '{tensor}', which the checkpoint does not have", Hint)
        : stored.Info.Dtype.IsRescalable() ? stored
        : throw new WiscaException($"tensor '{tensor}' is stored as {stored.Info.Dtype}, which is not rotated", Hint);
}
