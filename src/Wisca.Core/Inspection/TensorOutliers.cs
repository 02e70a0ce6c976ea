namespace Wisca.Inspection;

/// <summary>How far single weights and channels of a matrix stand out, which is what quantisation to a common step suffers from.</summary>
/// <param name="Tensor">The tensor's full name.</param>
/// <param name="Kurtosis">The fourth central moment over the squared variance: 3 for a normal distribution; NaN where all elements are
/// equal.</param>
/// <param name="Largest">The largest magnitude of an element over the root mean square of all.</param>
/// <param name="LargestRow">The largest root mean square of a row (an output) over that of all elements.</param>
/// <param name="LargestColumn">The same of a column (an input). A stack of matrices counts as one below the other.</param>
public sealed record TensorOutliers(string Tensor, double Kurtosis, double Largest, double LargestRow, double LargestColumn);
