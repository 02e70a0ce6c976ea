using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>The factors of one module: W becomes W + Scale B A,
/// and with a magnitude m (DoRA) each output's row is then brought to the length m.</summary>
/// <param name="Name">The module's path in the model, <c>base_model.model.</c> taken off.</param>
/// <param name="Rank">r.</param>
/// <param name="Scale">alpha / r, or alpha / sqrt(r).</param>
/// <param name="A">[r, inputs], whatever way the base is stored. The inputs of an embedding are the tokens.</param>
/// <param name="B">[outputs, r].</param>
/// <param name="Magnitude">[outputs], or null without DoRA.</param>
public sealed record AdapterModule(string Name, int Rank, double Scale, StoredTensor A, StoredTensor B, StoredTensor? Magnitude)
{
    /// <summary>B's own bias, [outputs], which the module's output gets Scale times; null without one.</summary>
    public StoredTensor? Bias { get; init; }

    /// <summary>True for a table of embeddings, whose rows are the inputs.</summary>
    public bool IsEmbedding { get; init; }

    /// <summary>Which part of the factors is meant, where those of several experts are stored as one; null for all of them.</summary>
    internal ExpertSlice? Expert { get; init; }

    /// <summary>Number of inputs.</summary>
    public int Inputs => (int)A.Info.Shape[1];

    /// <summary>Number of outputs.</summary>
    public int Outputs => Expert?.Outputs ?? (int)B.Info.Shape[0];

    /// <summary>A in float64, [r, inputs].</summary>
    public double[] ValuesOfA()
    {
        double[] all = LowRankUpdate.Values(A);
        return Expert is { } expert ? all.AsSpan(expert.Index * Rank * Inputs, Rank * Inputs).ToArray() : all;
    }

    /// <summary>B in float64, [outputs, r].</summary>
    public double[] ValuesOfB()
    {
        double[] all = LowRankUpdate.Values(B);
        if (Expert is not { } expert) return all;
        double[] values = new double[expert.Outputs * Rank];
        int width = Rank * expert.Count;
        for (int row = 0; row < expert.Outputs; row++)
        {
            for (int k = 0; k < Rank; k++)
                values[(row * Rank) + k] = all[((expert.FirstOutput + row) * width) + (k * expert.Count) + expert.Index];
        }

        return values;
    }
}
