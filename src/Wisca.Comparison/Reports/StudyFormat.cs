using System.Globalization;
using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Reports;

/// <summary>How the numbers of a study are written, wherever they stand.</summary>
public static class StudyFormat
{
    private const string LossDigits = "0.0000";

    /// <summary>A learning rate.</summary>
    public static string Rate(double? rate) =>
        rate is { } number ? number.ToString("0.##e+0", CultureInfo.InvariantCulture).Replace("e+0", "", StringComparison.Ordinal) : "-";

    /// <summary>A loss in nats, or a dash.</summary>
    public static string Loss(double? loss) => loss is { } number ? number.ToString(LossDigits, CultureInfo.InvariantCulture) : "-";

    /// <summary>A perplexity, or a dash.</summary>
    public static string Perplexity(double? perplexity) =>
        perplexity is { } number ? number.ToString("0.000", CultureInfo.InvariantCulture) : "-";

    /// <summary>A probability, or a dash.</summary>
    public static string Probability(double? p) => p switch
    {
        null => "-",
        < 0.0001 => "< 0.0001",
        { } number => number.ToString("0.####", CultureInfo.InvariantCulture),
    };

    /// <summary>A difference of losses with its interval.</summary>
    public static string Difference(PairedComparison compared)
    {
        ArgumentNullException.ThrowIfNull(compared);
        return compared.Seeds.Count == 0 ? "-" : SignedLoss(compared.Mean) + Range(compared.Interval, LossDigits);
    }

    /// <summary>A change of perplexity in percent with its interval.</summary>
    public static string Change(ArmDifference difference)
    {
        ArgumentNullException.ThrowIfNull(difference);
        return difference.Loss.Seeds.Count == 0
            ? "-"
            : WithSign(difference.PerplexityChange, "0.00") + " %" + Range(difference.PerplexityChangeInterval, "0.00");
    }

    /// <summary>What a comparison shows, in words.</summary>
    public static string Words(ArmDifference? difference) => difference switch
    {
        null => "",
        { Loss.Verdict: Verdict.Lower } => "lower",
        { Loss.Verdict: Verdict.Higher } => "higher",
        { Loss.Verdict: Verdict.NoDifferenceShown } => "no difference shown",
        _ => "too few seeds",
    } + (difference?.Diverged > 0 ? $", {difference.Diverged} of {difference.Diverged + difference.Loss.Seeds.Count} pairs diverged" : "");

    /// <summary>The share of the baseline's tokens that an arm needs for the baseline's loss.</summary>
    public static string EqualLoss(TokensToEqualLoss? tokens) => tokens switch
    {
        null => "",
        { Share: { } share } =>
            share.ToString("0.00", CultureInfo.InvariantCulture)
            + (tokens.Reached < tokens.Seeds ? $" ({tokens.Reached} of {tokens.Seeds} seeds)" : ""),
        _ => "not reached",
    };

    /// <summary>A number with its sign.</summary>
    /// <param name="number">The number.</param>
    /// <param name="format">Its format without the sign.</param>
    public static string WithSign(double number, string format) =>
        number.ToString($"+{format};-{format};{format}", CultureInfo.InvariantCulture);

    /// <summary>A difference of losses.</summary>
    public static string SignedLoss(double difference) => WithSign(difference, LossDigits);

    /// <summary>An interval of differences of losses, or a dash.</summary>
    public static string LossRange(Interval? interval) => interval is null ? "-" : Range(interval, LossDigits).Trim();

    private static string Range(Interval? interval, string format) =>
        interval is null ? "" : $" [{WithSign(interval.Low, format)}, {WithSign(interval.High, format)}]";

    /// <summary>A share in percent.</summary>
    public static string Share(double share) => (100 * share).ToString("0.##", CultureInfo.InvariantCulture) + " %";
}
