using System.Globalization;
using System.Text;

namespace Wisca.Comparison;

/// <summary>Writes the statistics of a study as Markdown.</summary>
public static class StudySummary
{
    /// <summary>The summary.</summary>
    /// <param name="report">The statistics.</param>
    public static string Markdown(StudyReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var text = new StringBuilder();
        Line(text, $"# {report.Name}");
        Line(text, "");
        foreach (string verdict in report.Verdicts) Line(text, $"- {verdict}");
        Line(text, "");
        Line(text, $"{report.Finished} of {report.Runs} runs are finished. Differences are arm minus {report.Baseline}, paired by seed, on test text; each arm's learning rate is the one with the lowest loss on validation text. Intervals are {Percent(report.Confidence)} paired-t intervals; \"no difference shown\" means that the interval includes zero. A change of -1 % of perplexity is a difference of -0.01 nats.");
        foreach (var model in report.Models) Write(text, report, model);
        if (report.Waiting.Count > 0) List(text, "Waiting", report.Waiting);
        if (report.Failures.Count > 0) List(text, "Failed", report.Failures.Select(failure => $"{failure.Label}: {failure.Reason}"));
        if (report.Environments.Count > 0) List(text, "Computed by", report.Environments);
        return text.ToString();
    }

    /// <summary>A learning rate.</summary>
    public static string Rate(double? rate) => rate is { } number ? number.ToString("0.##e+0", CultureInfo.InvariantCulture).Replace("e+0", "", StringComparison.Ordinal) : "-";

    /// <summary>A loss in nats, or a dash.</summary>
    public static string Loss(double? loss) => loss is { } number ? number.ToString("0.0000", CultureInfo.InvariantCulture) : "-";

    /// <summary>A perplexity, or a dash.</summary>
    public static string Perplexity(double? perplexity) => perplexity is { } number ? number.ToString("0.000", CultureInfo.InvariantCulture) : "-";

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
        return compared.Seeds.Count == 0 ? "-" : Signed(compared.Mean, "0.0000") + Range(compared.Interval, "0.0000");
    }

    /// <summary>A change of perplexity in percent with its interval.</summary>
    public static string Change(ArmDifference difference)
    {
        ArgumentNullException.ThrowIfNull(difference);
        return difference.Loss.Seeds.Count == 0 ? "-" : Signed(difference.PerplexityChange, "0.00") + " %" + Range(difference.PerplexityChangeInterval, "0.00");
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

    private static void Write(StringBuilder text, StudyReport report, ComparedModel model)
    {
        Line(text, "");
        Line(text, $"## {model.Regime}: {model.Name}");
        Line(text, "");
        Line(text, $"{model.Parameters.ToString("N0", CultureInfo.InvariantCulture)} parameters, {model.Tokens.ToString("N0", CultureInfo.InvariantCulture)} tokens a run. {(model.SharedInitialWeights ? "All runs of a seed began with the same weights." : "NOT all runs of a seed began with the same weights.")} {model.Comparisons} arms were compared with {report.Baseline}: the chance to find a difference by accident grows with that number, and Holm's p takes it into account.");
        Line(text, "");
        Row(text, "arm", "best rate", "rates", "seeds", "test loss", "perplexity", "change of perplexity", "difference", "p", "Holm's p", "shows", "tokens to equal loss");
        Row(text, [.. Enumerable.Repeat("---", 12)]);
        foreach (var arm in model.Arms)
        {
            Row(
                text, arm.Name, Rate(arm.BestLearningRate), Count(arm.LearningRates.Count), Count(arm.Runs.Count(run => run.LearningRate == arm.BestLearningRate)), Loss(arm.TestLoss), Perplexity(arm.Perplexity),
                arm.AtBest is { } best ? Change(best) : "", arm.AtBest is { } at ? Difference(at.Loss) : "", arm.AtBest is null ? "" : Probability(arm.AtBest.Loss.PValue), arm.AtBest is null ? "" : Probability(arm.AtBest.HolmPValue),
                Words(arm.AtBest), EqualLoss(arm.EqualLoss));
        }

        var many = model.Arms.Where(arm => arm.AtBest?.Loss.Bootstrap is not null).ToList();
        if (many.Count > 0)
        {
            Line(text, "");
            Line(text, $"From {PairedComparison.ManyPairs} seeds on, without the normal distribution:");
            Line(text, "");
            Row(text, "arm", "bootstrap interval", "sign test p");
            Row(text, "---", "---", "---");
            foreach (var arm in many) Row(text, arm.Name, Range(arm.AtBest!.Loss.Bootstrap, "0.0000").Trim(), Probability(arm.AtBest.Loss.SignTest));
        }

        if (model.Arms.Any(arm => arm.AtEqualRates.Count > 0))
        {
            Line(text, "");
            Line(text, "At equal learning rates, seed by seed:");
            Line(text, "");
            Row(text, "rate", "arm", "differences", "mean", "shows");
            Row(text, [.. Enumerable.Repeat("---", 5)]);
            foreach (var (arm, at) in model.Arms.SelectMany(arm => arm.AtEqualRates.Select(at => (arm, at))).OrderBy(entry => entry.at.LearningRate))
                Row(text, Rate(at.LearningRate), arm.Name, string.Join(" ", at.Loss.Differences.Select(difference => Signed(difference, "0.0000"))), Difference(at.Loss), Words(at));
        }

        if (model.Arms.Any(arm => arm.Scores.Count > 0))
        {
            Line(text, "");
            Line(text, $"Evaluations of the trained models, each arm at its best rate, with {Percent(report.Confidence)} intervals of the paired difference:");
            Line(text, "");
            Row(text, "arm", "evaluation", report.Baseline, "arm's", "difference");
            Row(text, [.. Enumerable.Repeat("---", 5)]);
            foreach (var (arm, score) in model.Arms.SelectMany(arm => arm.Scores.Select(score => (arm, score)))) Row(text, arm.Name, score.Name, Loss(score.Baseline), Loss(score.Arm), Difference(score.Difference));
        }
    }

    private static string EqualLoss(TokensToEqualLoss? tokens) => tokens switch
    {
        null => "",
        { Share: { } share } => $"{share.ToString("0.00", CultureInfo.InvariantCulture)}{(tokens.Reached < tokens.Seeds ? $" ({tokens.Reached} of {tokens.Seeds} seeds)" : "")}",
        _ => "not reached",
    };

    private static string Signed(double number, string format) => number.ToString($"+{format};-{format};{format}", CultureInfo.InvariantCulture);

    private static string Range(Interval? interval, string format) => interval is null ? "" : $" [{Signed(interval.Low, format)}, {Signed(interval.High, format)}]";

    private static string Percent(double share) => (100 * share).ToString("0.##", CultureInfo.InvariantCulture) + " %";

    private static string Count(int count) => count.ToString(CultureInfo.InvariantCulture);

    private static void List(StringBuilder text, string title, IEnumerable<string> items)
    {
        Line(text, "");
        Line(text, $"{title}:");
        Line(text, "");
        foreach (string item in items) Line(text, $"- {item}");
    }

    private static void Row(StringBuilder text, params string[] cells) => Line(text, $"| {string.Join(" | ", cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |");

    private static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');
}
