using System.Collections.Immutable;
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
        var plan = TransitionPlan.Create(ModelLayout.Resolve(checkpoint, table), options);
        var counter = new ProgressCounter(progress, MeasuredBytes(checkpoint, plan));
        var solver = new Solver(checkpoint, plan, options.Lossless ? LossPolicy.Skip : LossPolicy.ScaleAndCount);
        var solution = solver.Solve(options.Threads, counter, cancellation);
        CheckDone(solution, options);
        return new RescaleResult(solution, null, SideFiles.Of(checkpoint)) with
        {
            RoundedElements = solver.Losses.Values.Sum(),
            RoundedTensors = solver.Losses.Values.Count(lost => lost > 0),
            ElementsBesideRounded = CountElements(checkpoint, solver.Losses.Where(entry => entry.Value > 0).Select(entry => entry.Key)),
        };
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
        checkpoint.CheckNoAdapter(
            "move it too (--adapter MODEL --adapter-out DIR, with the same MODEL), or merge it first (wisca merge MODEL MODEL --out DIR)");
        return Rescale(checkpoint, output, options, force, table, progress, solved: null, cancellation);
    }

    /// <summary>As the public one.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="output">The folder to write.</param>
    /// <param name="options">What to do.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="solved">Called with the factors before anything stands in its place: if it throws, nothing is left behind.</param>
    /// <param name="cancellation">Stops it.</param>
    internal static RescaleResult Rescale(
        Checkpoint checkpoint, string output, RescaleOptions options, bool force, ArchitectureTable? table,
        IProgress<RescaleProgress>? progress, Action<TransitionSolution>? solved, CancellationToken cancellation)
    {
        var history = Ledger.Load(checkpoint.Folder);
        var plan = TransitionPlan.Create(ModelLayout.Resolve(checkpoint, table), options);
        using var folder = OutputFolder.Prepare(output, checkpoint, force);
        var counter = new ProgressCounter(progress, MeasuredBytes(checkpoint, plan) + checkpoint.Shards.Sum(shard => shard.Length));
        var solver = new Solver(checkpoint, plan, options.Lossless ? LossPolicy.Skip : LossPolicy.Scale);
        TransitionSolution? solution = null;
        using var rewriter = new CheckpointRewriter(checkpoint, folder.Staging, plan.Tensors, counter);
        rewriter.Write(
            threads =>
            {
                solution = solver.Solve(threads, counter, cancellation);
                CheckDone(solution, options);
                solved?.Invoke(solution);
                return solution.Factors((tensor, axis) => new MatrixView(checkpoint.Find(tensor)!, axis).Length)
                    .ToDictionary(
                        entry => entry.Key,
                        entry => (TensorEdit)new TensorScale(entry.Value, KeepLosses: true),
                        StringComparer.Ordinal);
            },
            options.Threads,
            cancellation);

        Ledger? ledger = null;
        var normsAfter = NormsAfter(checkpoint, solver, rewriter, plan, options.Threads, folder.Staging, cancellation);
        var move = ToMove(solution!, normsAfter, rewriter);
        var sideFiles = CheckpointCopy.Complete(
            checkpoint, folder, files => ledger = new Ledger(Ledger.CurrentVersion, [.. history?.Moves ?? [], move], files), cancellation);
        return new RescaleResult(solution!, ledger, sideFiles)
        {
            WrittenBytes = checkpoint.Shards.Sum(shard => shard.Length),
            NormsAfter = [.. normsAfter.Select(norms => norms.Multiplied.Zip(norms.Divided).ToImmutableArray())],
            RoundedElements = move.Lost.Sum(lost => (long)lost.Count),
            RoundedTensors = move.Lost.Count,
            ElementsBesideRounded = CountElements(checkpoint, move.Lost.Select(lost => lost.Tensor)),
        };
    }

    private static long CountElements(Checkpoint checkpoint, IEnumerable<string> tensors) =>
        tensors.Sum(tensor => checkpoint.Find(tensor)!.Info.ElementCount);

    /// <summary>What was asked for by name is done wherever it can be, and something is done at all.
    /// A group with a side of zeros has no balance.</summary>
    private static void CheckDone(TransitionSolution solution, RescaleOptions options)
    {
        var skipped = solution.Groups.Where(entry => entry.Balance.Outcome == GroupOutcome.Skipped).ToList();
        var undone = skipped
            .Where(entry =>
                options.Requires(entry.Exchange.Kind)
                && entry.Balance is { MultipliedNorm: not 0, DividedNorm: not 0 })
            .ToList();
        string hint = options.Lossless
            ? "leave --lossless out: such elements are rounded once, wisca.json keeps their bits, and undo gives them back"
            : "leave the option out to apply what is possible, or convert the model to BF16 or F32";
        if (undone.Count > 0)
        {
            var (exchange, _, balance) = undone[0];
            string more = undone.Count == 1 ? "" : $" (and {undone.Count - 1} more groups of {solution.Groups.Count()})";
            throw new WiscaException($"layer {exchange.Layer}: {exchange.Kind.Name()} is not applied: {balance.Note}{more}", hint);
        }

        // Groups that are balanced already do not make a copy of the model what was asked for.
        if (skipped.Count > 0 && !solution.Groups.Any(entry => entry.Balance.Outcome == GroupOutcome.Scaled))
        {
            int others = solution.Groups.Count() - skipped.Count;
            string groups = others > 0
                ? $" ({skipped.Count} {(skipped.Count == 1 ? "group is" : "groups are")} skipped, the others are balanced already)"
                : skipped.Count == 1 ? "" : $" (all {skipped.Count} groups are skipped)";
            throw new WiscaException(
                $"nothing is balanced: {skipped[0].Balance.Note}{groups}",
                skipped.All(entry => entry.Balance is { MultipliedNorm: 0 } or { DividedNorm: 0 }) ? "are these trained weights?" : hint);
        }
    }

    private static long MeasuredBytes(Checkpoint checkpoint, TransitionPlan plan) =>
        plan.Tensors.Sum(tensor => checkpoint.Find(tensor)!.Info.ByteLength);

    private static LedgerMove ToMove(
        TransitionSolution solution, (double[] Multiplied, double[] Divided)[] after, CheckpointRewriter rewriter)
    {
        var options = solution.Plan.Options;
        var groups = solution.Plan.Exchanges.SelectMany(
            (exchange, index) => LedgerGroup.Of(exchange, solution.Balances[index], after[index], options.Balance.Criterion));
        return new LedgerMove(
            options.Balance.Criterion, options.Balance.Rounding, options.Balance.MaxLog2, [.. groups], rewriter.Digests, rewriter.Lost)
        {
            Objective = options.Mlp is null && options.Norms is null ? null : solution.Objective,
        };
    }

    /// <summary>The norms of every group's two sides as they were written.</summary>
    private static (double[] Multiplied, double[] Divided)[] NormsAfter(
        Checkpoint checkpoint, Solver solver, CheckpointRewriter rewriter, TransitionPlan plan, int threads, string staging,
        CancellationToken cancellation)
    {
        // What was not scaled is as it was measured before. The written files are read again only for spectral norms.
        using var reopened = checkpoint.Reopen(staging);
        var source = new CheckpointTensorSource(reopened);
        var norms = new (double[], double[])[plan.Exchanges.Length];
        var criterion = plan.Options.Balance.Criterion;
        Workers.Run(
            [.. Enumerable.Range(0, norms.Length)],
            threads,
            index =>
                norms[index] = (
                    Balancer.Norms(plan.Exchanges[index], source, Statistics, criterion, +1),
                    Balancer.Norms(plan.Exchanges[index], source, Statistics, criterion, -1)),
            cancellation);
        return norms;

        AxisStatistics Statistics(ScaledAxis slice) =>
            rewriter.Statistics.TryGetValue((slice.Tensor, slice.Axis, slice.Parts), out var written) ? written
            : rewriter.Digests.ContainsKey(slice.Tensor) ? source.Measure(slice.Tensor, slice.Axis, slice.Parts, slice.AddsOne)
            : solver.Statistics(slice);
    }
}
