namespace Wisca.Adapters;

/// <summary>
/// Finds what PEFT leaves of a base's matrix when it loads an adapter whose factors started from the base's own (PiSSA, OLoRA). PEFT
/// decomposes in float32, and its rounding is part of what the adapter was trained on.
/// </summary>
public interface IBaseDecomposition
{
    /// <summary>What is left of a matrix, in row order like it.</summary>
    /// <param name="matrix">The base's matrix [outputs, inputs].</param>
    /// <param name="outputs">Number of rows.</param>
    /// <param name="inputs">Number of columns.</param>
    /// <param name="rank">How many factors are taken out; no more than there are rows or columns.</param>
    /// <param name="scale">What their product is multiplied by.</param>
    /// <param name="start">Which ones: <see cref="LoraInitialization.Pissa"/> or <see cref="LoraInitialization.Olora"/>.</param>
    float[] Rest(float[] matrix, int outputs, int inputs, int rank, double scale, LoraInitialization start);
}
