using Wisca.Training.Checkpointing;

namespace Wisca.Training;

/// <summary>Gathers the steps between two reports.</summary>
internal sealed class ReportWindow
{
    private double _rate, _norm;

    /// <summary>What was gathered since the last report.</summary>
    public PendingReport Pending { get; set; }

    public void Add(double loss, double auxiliary, double rate, double norm, long tokens, double seconds, double passSeconds)
    {
        (_rate, _norm) = (rate, norm);
        Pending = new PendingReport(
            Pending.Steps + 1,
            Pending.Tokens + tokens,
            Pending.Loss + loss,
            Pending.Auxiliary + auxiliary,
            Pending.Seconds + seconds,
            Pending.PassSeconds + passSeconds);
    }

    /// <summary>The report of what was gathered, which begins anew.</summary>
    public StepReport Take(long step, long steps)
    {
        var (count, tokens, loss, auxiliary, seconds, passes) = Pending;
        Pending = default;
        return new StepReport(
            step,
            steps,
            loss / count,
            _rate,
            _norm,
            tokens / seconds,
            Math.Max(0, 1 - (passes / seconds)),
            TimeSpan.FromSeconds(seconds / count * (steps - step)))
        {
            Auxiliary = auxiliary == 0 ? null : auxiliary / count,
        };
    }
}
