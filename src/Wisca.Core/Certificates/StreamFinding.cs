namespace Wisca.Certificates;

/// <summary>How a tensor compares with what a rotation of the residual stream makes of the reference's.</summary>
/// <param name="Tensor">Its name.</param>
/// <param name="Error">|W' - W R| / |W R|, Frobenius norms.</param>
/// <param name="Tolerance">The largest error that rounding explains.</param>
/// <param name="Difference">What is wrong; null where rounding explains all.</param>
/// <param name="Rows">Of a matrix or a bias of attention: the rows with elements that are wrong.</param>
/// <param name="Columns">The columns with such.</param>
internal sealed record StreamFinding(
    string Tensor, double Error, double Tolerance, string? Difference, HashSet<int> Rows, HashSet<int> Columns);
