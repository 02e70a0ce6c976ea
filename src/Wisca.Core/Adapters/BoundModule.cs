using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Adapters;

/// <summary>A module of an adapter and the matrix of the base that it changes.</summary>
/// <param name="Module">The factors.</param>
/// <param name="Weight">The base's matrix, or the stack of them that it is one of.</param>
/// <param name="Transposed">True where the base stores [in, out] (Conv1D, embeddings).</param>
public sealed record BoundModule(AdapterModule Module, StoredTensor Weight, bool Transposed)
{
    private readonly Lock _lock = new();
    private float[]? _rest;

    /// <summary>The axis of <see cref="Weight"/> along which the outputs lie.</summary>
    public int OutputAxis => Transposed ? 1 : 0;

    /// <summary>The base's bias, which <see cref="AdapterModule.Bias"/> is added to; null without one.</summary>
    public StoredTensor? Bias { get; init; }

    /// <summary>True for an output projection that the base does not store, since its embedding is that too:
    /// <see cref="Weight"/> is the embedding.</summary>
    public bool IsTiedHead { get; init; }

    /// <summary>The adapter's own copy of the base's matrix, which PEFT puts in its place; null without one.</summary>
    internal StoredTensor? Stored { get; init; }

    /// <summary>Which matrix of a stack is meant; null where <see cref="Weight"/> is one matrix.</summary>
    internal int? Slab { get; init; }

    /// <summary>What PEFT takes out of the base first, if anything.</summary>
    internal LoraInitialization Start { get; init; }

    /// <summary>Finds what is left of it then.</summary>
    internal IBaseDecomposition? Decomposition { get; init; }

    /// <summary>True where the factors are added to the base as it is stored.</summary>
    public bool KeepsBase => Stored is null && Start is not (LoraInitialization.Pissa or LoraInitialization.Olora);

    /// <summary>Number of rows of the matrix as it is stored.</summary>
    public int Rows => Transposed ? Module.Inputs : Module.Outputs;

    /// <summary>Number of columns of the matrix as it is stored.</summary>
    public int Columns => Transposed ? Module.Outputs : Module.Inputs;

    /// <summary>The base's rows as they are stored, in float64; the action may change them.</summary>
    internal void ForEachRow(Action<int, double[]> act)
    {
        double[] values = new double[Columns];
        for (int row = 0; row < Rows; row++)
        {
            ReadRow(row, values);
            act(row, values);
        }
    }

    /// <summary>A row of the matrix that the factors are added to: the base's own, or what PEFT makes of it when it loads the
    /// adapter, which is rounded to the base's type.</summary>
    /// <param name="row">Which row of the matrix as it is stored.</param>
    /// <param name="values">Takes <see cref="Columns"/> numbers.</param>
    /// <exception cref="WiscaException">What PEFT takes out of the base does not follow from it.</exception>
    public void ReadRow(int row, double[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (Start is not (LoraInitialization.Pissa or LoraInitialization.Olora))
        {
            ReadStoredRow(row, values);
            return;
        }

        float[] rest;
        lock (_lock) rest = _rest ??= Rest();
        for (int column = 0; column < values.Length; column++)
            values[column] = rest[Transposed ? (column * Rows) + row : (row * Columns) + column];
        Round(values);
    }

    /// <summary>Lets go of what is held for reading rows.</summary>
    internal void Release()
    {
        lock (_lock) _rest = null;
    }

    private float[] Rest()
    {
        int outputs = Module.Outputs, inputs = Module.Inputs;
        if (Module.Rank > Math.Min(outputs, inputs))
            throw new WiscaException(
                $"rank {Module.Rank} of '{Module.Name}' exceeds what its matrix {Weight.Info.ShapeText} has",
                "the adapter is broken");
        if (Transposed && Start == LoraInitialization.Olora)
            throw new WiscaException(
                $"module '{Module.Name}': init_lora_weights is olora, which PEFT decomposes the wrong way round where a base stores "
                + "[in, out]",
                "merge the adapter with PEFT");
        float[] matrix = new float[outputs * inputs];
        double[] values = new double[Columns];
        for (int row = 0; row < Rows; row++)
        {
            ReadStoredRow(row, values);
            for (int column = 0; column < values.Length; column++)
                matrix[Transposed ? (column * Rows) + row : (row * Columns) + column] = (float)values[column];
        }

        return Decomposition!.Rest(matrix, outputs, inputs, Module.Rank, Module.Scale, Start);
    }

    /// <summary>A row of the base, or of the adapter's copy of it in the base's type.</summary>
    private void ReadStoredRow(int row, double[] values)
    {
        var matrix = new MatrixView(Stored ?? Weight, 0);
        matrix.Decode(row + ((Slab ?? 0) * Rows), values);
        if (Stored is not null) Round(values);
    }

    private void Round(double[] values)
    {
        var dtype = Weight.Info.Dtype;
        byte[] bytes = new byte[values.Length * Safetensors.DtypeExtensions.Bits(dtype) / 8];
        Elements.Encode(dtype, values, bytes);
        Elements.Decode(dtype, bytes, values);
    }
}
