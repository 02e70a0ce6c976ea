using System.Globalization;
using Spectre.Console;
using Wisca.Torch.Lora;
using Wisca.Torch.Transitions;
using Wisca.Training;

namespace Wisca.Cli.CommandLine;

/// <summary>Shows a training run on standard error: a line that is written over in a terminal, a line for each report elsewhere.</summary>
internal sealed class TrainingConsole(IAnsiConsole console, string? arm = null) : ITrainingObserver
{
    private readonly bool _live = console.Profile.Out.IsTerminal && console.Profile.Capabilities.Ansi;
    private readonly string _prefix = arm is null ? "" : $"{arm}: ";
    private readonly List<EvaluationReport> _evaluations = [];
    private bool _open;

    /// <summary>The evaluations so far.</summary>
    public IReadOnlyList<EvaluationReport> Evaluations => _evaluations;

    public void Trained(StepReport report)
    {
        double imbalance = report.Imbalances.Count == 0 ? 0 : report.Imbalances.Max(group => Math.Abs(group.Log2Ratio));
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"{_prefix}step {report.Step}/{report.Steps}  loss {report.Loss:0.0000}  lr {report.LearningRate:0.0e+00}  "
            + $"{report.TokensPerSecond:0} tokens/s  {Span(report.Remaining)} "
            + $"left{(report.Imbalances.Count == 0 ? "" : $"  imbalance 2^{imbalance:0.00}")}");
        if (_live)
        {
            console.Profile.Out.Writer.Write($"\r{text}\u001b[K");
            _open = true;
        }
        else
        {
            Line(text);
        }
    }

    public void Evaluated(EvaluationReport report)
    {
        _evaluations.Add(report);
        Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_prefix}step {report.Step}: held-out loss {report.Loss:0.0000}, perplexity {report.Perplexity:0.000}"
                + $"{(report.TestLoss is { } test ? $", test loss {test:0.0000}" : "")}"
                + $"{(report.AverageLoss is { } average ? $", of averaged weights {average:0.0000}" : "")} on {report.Tokens} tokens"));
    }

    public void Transitioned(TransitionEvent transition) =>
        Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_prefix}step {transition.Step}: transition of {transition.Scaled} groups, largest factor "
                + $"2^{transition.LargestLog2:0.000}, {transition.Elapsed.TotalMilliseconds:0} "
                + $"ms{(transition.Loss is { } loss ? $", loss {loss.Before:R} -> {loss.After:R}" : "")}"));

    public void Rotated(RotationEvent rotation)
    {
        foreach (var kind in rotation.Spaces.Select(entry => entry.Space.Kind).Distinct())
        {
            if (rotation.Mean(kind) is not { } mean) continue;
            Line(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_prefix}step {rotation.Step}: rotation of {kind.Name()} by {mean.Angle:0.0} degrees"
                    + $"{(mean.Diagonal is { } share ? $", covariance {share.Before:0.000} -> {share.After:0.000} diagonal" : "")}, "
                    + $"{rotation.Elapsed.TotalMilliseconds:0} ms"
                    + $"{(rotation.Loss is { } loss ? $", loss {loss.Before:R} -> {loss.After:R}" : "")}"));
        }

        foreach (var left in rotation.Spaces.Where(entry => entry.Skipped is not null))
            Line($"{_prefix}step {rotation.Step}: {left.Space.Name} is not rotated this time: {left.Skipped}");
    }

    public void HeadsBalanced(HeadBalanceEvent balance) =>
        Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_prefix}step {balance.Step}: {balance.Balanced} heads balanced, "
                + $"imbalance {balance.Before:0.000} -> {balance.After:0.000}"
                + $"{(balance.Skipped > 0 ? $", {balance.Skipped} skipped" : "")}, {balance.Elapsed.TotalMilliseconds:0} ms"
                + $"{(balance.Loss is { } loss ? $", loss {loss.Before:R} -> {loss.After:R}" : "")}"));

    public void Balanced(LoraBalanceEvent balance) =>
        Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_prefix}step {balance.Step}: factors of {balance.Balanced} modules balanced"
                + $"{(balance.Factors is { } factors ? $", B x {factors.Mean:0.000}" : "")}"
                + $"{(balance.Skipped > 0 ? $", {balance.Skipped} skipped" : "")}, {balance.Elapsed.TotalMilliseconds:0} ms"));

    public void Sampled(long completedSteps, string prompt, string continuation) =>
        Line(
            $"{_prefix}step {completedSteps}: "
            + $"{string.Join(' ', (prompt + continuation).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");

    public void Saved(long completedSteps, string folder) => Line($"{_prefix}step {completedSteps}: saved {folder}");

    public void Notice(string message) => Line(_prefix + message);

    /// <summary>Minutes and seconds, or hours and minutes.</summary>
    public static string Span(TimeSpan span) => span.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalHours} h {span.Minutes:00} min")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalMinutes} min {span.Seconds:00} s");

    private void Line(string text)
    {
        console.Profile.Out.Writer.WriteLine(_open ? $"\r{text}\u001b[K" : text);
        _open = false;
    }
}
