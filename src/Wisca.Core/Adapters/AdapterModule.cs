using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>The factors of one module: W becomes W + Scale B A,
/// and with a magnitude m (DoRA) each output's row is then brought to the length m.</summary>
/// <param name="Name">The module's path in the model, <c>base_model.model.</c> taken off.</param>
/// <param name="Rank">r.</param>
/// <param name="Scale">alpha / r, or alpha / sqrt(r).</param>
/// <param name="A">[r, inputs], whatever way the base is stored.</param>
/// <param name="B">[outputs, r].</param>
/// <param name="Magnitude">[outputs], or null without DoRA.</param>
public sealed record AdapterModule(string Name, int Rank, double Scale, StoredTensor A, StoredTensor B, StoredTensor? Magnitude)
{
    /// <summary>Number of inputs.</summary>
    public int Inputs => (int)A.Info.Shape[1];

    /// <summary>Number of outputs.</summary>
    public int Outputs => (int)B.Info.Shape[0];
}
