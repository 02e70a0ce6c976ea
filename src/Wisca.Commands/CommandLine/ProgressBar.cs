using Spectre.Console;
using Wisca.Checkpoints;

namespace Wisca.Commands.CommandLine;

/// <summary>Runs work under a progress bar on standard error, or without one where nobody watches.</summary>
public static class ProgressBar
{
    /// <summary>Runs work that reports its stage and how much it has done of how much;
    /// the bar shows the remaining time, and throughput where that is bytes.</summary>
    /// <param name="context">Where to show it.</param>
    /// <param name="work">The work; it reports a stage, what is done, and of how much.</param>
    /// <param name="bytes">True where that is bytes.</param>
    public static T Run<T>(CommandContext context, Func<Action<string, double, double>, T> work, bool bytes = true)
    {
        if (!context.Error.Profile.Capabilities.Interactive || !context.Error.Profile.Out.IsTerminal) return work((_, _, _) => { });
        return context.Error.Progress()
            .AutoClear(true)
            .Columns([
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn(),
                new PercentageColumn(),
                .. bytes ? (ProgressColumn[])[new TransferSpeedColumn()] : [],
                new RemainingTimeColumn()])
            .Start(display =>
            {
                ProgressTask? task = null;
                string? current = null;
                object gate = new();
                return work((stage, done, total) =>
                {
                    lock (gate)
                    {
                        if (current != stage)
                        {
                            task?.StopTask();
                            task = display.AddTask(stage, maxValue: Math.Max(1, total));
                            current = stage;
                        }

                        task!.Value = Math.Max(task.Value, done);
                    }
                });
            });
    }

    /// <summary>Progress as a share of the work, shown as the same share of a model's bytes.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="checkpoint">The model.</param>
    /// <param name="report">What <see cref="Run"/> gives the work.</param>
    public static IProgress<double> Share(string stage, Checkpoint checkpoint, Action<string, double, double> report)
    {
        double bytes = checkpoint.Shards.Sum(shard => shard.Length);
        return new DirectProgress<double>(share => report(stage, share * bytes, bytes));
    }
}
