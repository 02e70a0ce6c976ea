using System.Collections.Concurrent;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Rescales a checkpoint: moves it to an equivalent model whose attention weights are balanced.</summary>
public static class Rescaler
{
    /// <summary>Plans and measures, and writes nothing.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="options">What to do.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">The model is not known or broken, or no transition applies.</exception>
    public static RescaleResult DryRun(
        Checkpoint checkpoint,
        RescaleOptions options,
        ArchitectureTable? table = null,
        IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(options);
        var plan = RescalePlan.Create(ModelLayout.Resolve(checkpoint, table), options);
        return new RescaleResult(new Solver(checkpoint, plan).Solve(progress, cancellation), null, SideFiles.Of(checkpoint));
    }

    /// <summary>Rescales a checkpoint into a new folder, which appears when it is complete.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="output">The folder to write.</param>
    /// <param name="options">What to do.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">The model is not known or broken, no transition applies, or the output is not allowed.</exception>
    public static RescaleResult Rescale(
        Checkpoint checkpoint,
        string output,
        RescaleOptions options,
        bool force = false,
        ArchitectureTable? table = null,
        IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(options);
        var history = Ledger.Load(checkpoint.Folder);
        var plan = RescalePlan.Create(ModelLayout.Resolve(checkpoint, table), options);
        using var folder = OutputFolder.Prepare(output, checkpoint, force);
        var solution = new Solver(checkpoint, plan).Solve(progress, cancellation);
        var scales = solution.TensorScales((tensor, axis) => new MatrixView(checkpoint.Find(tensor)!, axis).Length);
        var rewriter = new CheckpointRewriter(checkpoint, scales, options.Threads);
        rewriter.Write(folder.Staging, progress, cancellation);

        Ledger? ledger = null;
        var move = ToMove(checkpoint, solution, folder.Staging, rewriter, progress, cancellation);
        var sideFiles = CheckpointCopy.Complete(
            checkpoint, folder, files => ledger = new Ledger(Ledger.CurrentVersion, [.. history?.Moves ?? [], move], files), cancellation);
        return new RescaleResult(solution, ledger, sideFiles) { WrittenBytes = checkpoint.Shards.Sum(shard => shard.Length) };
    }

    private static LedgerMove ToMove(
        Checkpoint checkpoint, RescaleSolution solution, string staging, CheckpointRewriter rewriter, IProgress<RescaleProgress>? progress, CancellationToken cancellation)
    {
        var options = solution.Plan.Options;
        var after = MeasureWritten(checkpoint, solution, staging, progress, cancellation);
        var groups = new List<LedgerGroup>();
        for (int index = 0; index < solution.Balances.Length; index++)
        {
            var exchange = solution.Plan.Exchanges[index];
            for (int group = 0; group < exchange.Groups.Length; group++)
            {
                var balance = solution.Balances[index][group];
                groups.Add(new LedgerGroup(
                    exchange.Layer,
                    exchange.Kind,
                    exchange.Granularity,
                    balance.Factor,
                    balance.Outcome,
                    [balance.MultipliedNorm, balance.DividedNorm],
                    [after[index].Multiplied[group], after[index].Divided[group]],
                    [.. exchange.Slices.Select(slice => new LedgerSlice(slice.Tensor, slice.Axis, slice.Exponent, exchange.Describe(slice, group)))],
                    balance.Label.KvHead,
                    balance.Label.Channel,
                    balance.Note));
            }
        }

        return new LedgerMove(options.Balance.Criterion, options.Balance.Rounding, options.Balance.MaxLog2, groups, rewriter.Digests, rewriter.Lost);
    }

    /// <summary>The norms of every group as they stand in the files that were written.</summary>
    private static (double[] Multiplied, double[] Divided)[] MeasureWritten(
        Checkpoint checkpoint, RescaleSolution solution, string staging, IProgress<RescaleProgress>? progress, CancellationToken cancellation)
    {
        using var written = checkpoint.Reopen(staging);
        var source = new CheckpointTensorSource(written);
        var exchanges = solution.Plan.Exchanges;
        var slices = exchanges.SelectMany(exchange => exchange.Slices).Where(slice => !slice.IsBias).DistinctBy(slice => slice.Tensor).ToList();
        long total = slices.Sum(slice => written.Find(slice.Tensor)!.Info.ByteLength), done = 0;
        var statistics = new ConcurrentDictionary<string, AxisStatistics>(StringComparer.Ordinal);
        Workers.Run(
            slices,
            solution.Plan.Options.Threads,
            slice =>
            {
                statistics[slice.Tensor] = source.Measure(slice.Tensor, slice.Axis);
                progress?.Report(new RescaleProgress(RescaleStage.Checking, Interlocked.Add(ref done, written.Find(slice.Tensor)!.Info.ByteLength), total));
            },
            cancellation);
        var norms = new (double[], double[])[exchanges.Length];
        var criterion = solution.Plan.Options.Balance.Criterion;
        Workers.Run(
            [.. Enumerable.Range(0, norms.Length)],
            solution.Plan.Options.Threads,
            index => norms[index] = (
                Balancer.Norms(exchanges[index], source, statistics, criterion, +1), Balancer.Norms(exchanges[index], source, statistics, criterion, -1)),
            cancellation);
        return norms;
    }
}
