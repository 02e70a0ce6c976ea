namespace Wisca.Certificates;

/// <summary>
/// How far two models' logits are apart, in units of what rounding does to them: each weight that differs is moved by half a unit in the
/// last place of the type it is stored in, up or down by chance, eight times. Positions are compared with their own noise, since some
/// are worse conditioned than others by orders of magnitude.
/// </summary>
/// <param name="Difference">The root mean square of the difference of logits over the positions that were measured.</param>
/// <param name="Noise">The root mean square, over the same positions and the draws, of a logit's change by rounding.</param>
/// <param name="Ratio">
/// The root mean square over positions of difference over noise, each the root mean square over the vocabulary. Infinite where logits
/// differ that depend on no weight that does.
/// </param>
/// <param name="WorstRatio">The largest of these. Positions behind those that were measured are held against the largest noise.</param>
public sealed record RoundingNoise(double Difference, double Noise, double Ratio, double WorstRatio)
{
    /// <summary>
    /// The largest <see cref="Ratio"/> of two models that are equal to rounding. Rounding errors lie evenly within half a unit, a
    /// deviation of 0.29 units, and the noise is made with 0.5: one rounding of every weight gives 0.58, k of them sqrt(k) times that, so
    /// that a model that was moved eight times is expected at 1.6.
    /// </summary>
    public const double Allowed = 3;

    /// <summary>
    /// The largest <see cref="WorstRatio"/> likewise. Where one direction rules a position's logits, its ratio is 0.58 times a number of
    /// Student's t with eight degrees of freedom, which exceeds 16 / 0.58 less than once in a hundred million; the rest is room for
    /// several roundings, and for arithmetic in the stored type, which is expected at 1.
    /// </summary>
    public const double AllowedWorst = 16;

    /// <summary>
    /// The share of the positions, the worst, that are not judged where a router picks experts: it picks by rank, and where two are all
    /// but equally good the least rounding changes which, and with it the logits by any amount. A fault moves nearly all positions.
    /// </summary>
    public const double SparedShare = 0.05;

    /// <summary>Number of positions that were compared.</summary>
    public int Positions { get; init; }

    /// <summary>How many of them, the worst, are not judged: at least one where there are experts, none elsewhere.</summary>
    public int Spared { get; init; }

    /// <summary>How many of all positions are beyond <see cref="AllowedWorst"/>.</summary>
    public int Beyond { get; init; }

    /// <summary>True where rounding explains the difference.</summary>
    public bool Explains => Ratio <= Allowed && WorstRatio <= AllowedWorst;
}
