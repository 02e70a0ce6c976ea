namespace Wisca.Adapters;

/// <summary>
/// One expert's part of factors that PEFT stores for all experts of a layer: A is [experts x r, inputs], an expert's rows together, and B
/// is [outputs, r x experts], an expert's columns so many apart as there are experts.
/// </summary>
/// <param name="Index">Which expert.</param>
/// <param name="Count">Number of experts.</param>
/// <param name="FirstOutput">The first of B's rows that are meant.</param>
/// <param name="Outputs">How many of them: a part where the base stores two projections that are one parameter in PEFT's model.</param>
internal sealed record ExpertSlice(int Index, int Count, int FirstOutput, int Outputs);
