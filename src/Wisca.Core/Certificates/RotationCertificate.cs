using System.Collections.Immutable;

namespace Wisca.Certificates;

/// <summary>What a certificate found out about rotations between two models.</summary>
/// <param name="Spaces">The spaces that are turned (<see cref="Rotations.RotatedSpace.Name"/>): the residual stream, heads.</param>
/// <param name="StreamTensors">Number of tensors that were held against the rotation of the residual stream; 0 where it is not turned.
/// </param>
/// <param name="StreamError">
/// The largest over these tensors of |W' - W R| / |W R| (Frobenius norms; the gains of norms counted with their readers); NaN where one is.
/// </param>
/// <param name="StreamTolerance">The largest such error that rounding explains.</param>
public sealed record RotationCertificate(
    ImmutableArray<string> Spaces, int StreamTensors, double StreamError, double StreamTolerance);
