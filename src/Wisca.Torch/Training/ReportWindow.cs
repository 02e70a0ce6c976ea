namespace Wisca.Training;

/// <summary>Gathers the steps between two reports.</summary>
internal sealed class ReportWindow
{
    private int _count;
    private long _tokens;
    private double _loss, _auxiliary, _rate, _norm, _seconds;

    public void Add(double loss, double auxiliary, double rate, double norm, long tokens, double seconds)
    {
        _count++;
        _loss += loss;
        _auxiliary += auxiliary;
        (_rate, _norm) = (rate, norm);
        _tokens += tokens;
        _seconds += seconds;
    }

    /// <summary>The report of what was gathered, which begins anew.</summary>
    public StepReport Take(long step, long steps, TimeSpan passes)
    {
        double perStep = _seconds / _count;
        var report = new StepReport(
            step, steps, _loss / _count, _rate, _norm, _tokens / _seconds, Math.Max(0, 1 - (passes.TotalSeconds / _seconds)), TimeSpan.FromSeconds(perStep * (steps - step)))
        {
            Auxiliary = _auxiliary == 0 ? null : _auxiliary / _count,
        };
        (_count, _tokens, _loss, _auxiliary, _seconds) = (0, 0, 0, 0, 0);
        return report;
    }
}
