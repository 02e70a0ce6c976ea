namespace Wisca.Certificates;

/// <summary>How well two models agree on one layer's attention.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="QueryKeyError">
/// The largest over query heads of |z_A - z_B| / |t_A|, where z collects the head's q.k over random probes and positions, and t the
/// products of channels that add up to them (|t| is what |z| is where their signs are random; |z| itself may be small by chance); null
/// where the exchange is not exact, so that W_q and W_k must be byte-identical instead.
/// </param>
/// <param name="ValueOutputError">The largest over query heads of |y_A - y_B| / |y_A| for y = W_o(h) (W_v x + b_v); null as above.</param>
/// <param name="Tolerance">The largest error that counts as equal: 0 where only powers of two were applied, else 4 x 2^-p.</param>
public sealed record LayerCertificate(int Layer, double? QueryKeyError, double? ValueOutputError, double Tolerance)
{
    /// <summary>True where neither error exceeds the tolerance.</summary>
    public bool Holds => (QueryKeyError ?? 0) <= Tolerance && (ValueOutputError ?? 0) <= Tolerance;
}
