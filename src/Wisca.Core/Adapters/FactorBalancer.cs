using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Transitions;

namespace Wisca.Adapters;

/// <summary>
/// Balances the factors of an adapter: B A stays the same, its two factors become equally large.
/// Every module is a product of its own, so this needs no base.
/// </summary>
public static class FactorBalancer
{
    /// <summary>Writes an adapter with balanced factors.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="output">The folder to write; it appears when it is complete.</param>
    /// <param name="options">How.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <returns>Each module with what became of it.</returns>
    /// <exception cref="WiscaException">No module can be balanced (B is zero before the first step),
    /// the adapter holds NaN, or the output is not allowed.</exception>
    public static ImmutableArray<ModuleBalance> Balance(
        Adapter adapter, string output, AdapterBalanceOptions options, bool force = false, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(options);
        if (!adapter.Parameters.IsEmpty)
            throw new WiscaException(
                $"{adapter.Folder} has target_parameters: factors of several experts in one tensor, which are not balanced",
                "merge it, or balance an adapter of modules");
        if (adapter.Modules.IsEmpty)
            throw new WiscaException($"{adapter.Folder} has no factors to balance", "it stores whole tensors only");
        bool general = options.Granularity == FactorGranularity.General;
        if (general && options.Balance.Rounding == FactorRounding.PowerOfTwo)
            throw new WiscaException(
                "a matrix between the factors has no powers of two",
                "balance per tensor or per rank for bits that stay");
        var before = adapter.Modules.Select(Measure).ToList();
        var history = Ledger.Load(adapter.Folder);
        var (edits, outcomes) = general ? General(adapter, before, options) : Diagonal(adapter, options, cancellation);
        if (outcomes.All(entry => entry.Outcome == GroupOutcome.Skipped))
            throw new WiscaException(
                $"{adapter.Folder}: no module can be balanced: {outcomes[0].Note}",
                outcomes[0].Note?.Contains("zeros", StringComparison.Ordinal) == true
                    ? "B is zero until the first step of a training; train first"
                    : "take exact factors (--round none), or convert the adapter to F32 first");
        using var folder = OutputFolder.Prepare(output, adapter, force);
        using var rewriter = new CheckpointRewriter(
            adapter, folder.Staging, edits.Keys.ToHashSet(StringComparer.Ordinal), new ProgressCounter(null, 0));
        rewriter.Write(_ => edits, options.Threads, cancellation);
        adapter.Config.Save(folder.Staging);
        List<Sizes> after;
        using (var written = Adapter.Open(folder.Staging)) after = [.. written.Modules.Select(Measure)];
        File.Delete(Path.Combine(folder.Staging, AdapterConfig.FileName));
        CheckpointCopy.Complete(
            adapter,
            folder,
            files => new Ledger(
                Ledger.CurrentVersion, [.. history?.Moves ?? [], LedgerMove.Edited(rewriter.Digests)], files,
                history?.ForOriginal ?? false),
            cancellation);
        return
        [
            .. adapter.Modules.Select((module, index) => new ModuleBalance(
                module.Name, outcomes[index].Outcome, before[index].Norms, after[index].Norms, before[index].Imbalance,
                after[index].Imbalance, outcomes[index].Note)),
        ];
    }

    private static (Dictionary<string, TensorEdit> Edits, List<(GroupOutcome Outcome, string? Note)> Outcomes) Diagonal(
        Adapter adapter, AdapterBalanceOptions options, CancellationToken cancellation)
    {
        var exchanges = adapter.Modules.Select(
            (module, index) =>
                Exchange.OfFactors(
                    index, module.A.Info.Name, module.B.Info.Name, module.Rank, options.Granularity == FactorGranularity.Rank));
        var plan = new TransitionPlan(new TransitionOptions { Balance = options.Balance }, [.. exchanges], []);
        var solution = new Solver(adapter, plan, LossPolicy.Skip).Solve(options.Threads, new ProgressCounter(null, 0), cancellation);
        var edits = solution.Factors((tensor, axis) => new MatrixView(adapter.Find(tensor)!, axis).Length)
            .ToDictionary(
                entry => entry.Key,
                entry => (TensorEdit)new TensorScale(entry.Value),
                StringComparer.Ordinal);
        return (edits, [.. solution.Balances.Select(Summary)]);

        static (GroupOutcome, string?) Summary(ImmutableArray<GroupBalance> groups) =>
            (groups.Any(group => group.Outcome == GroupOutcome.Scaled) ? GroupOutcome.Scaled
                : groups.Any(group => group.Outcome == GroupOutcome.Unchanged) ? GroupOutcome.Unchanged
                : GroupOutcome.Skipped, groups.Select(group => group.Note).FirstOrDefault(note => note is not null));
    }

    private static (Dictionary<string, TensorEdit> Edits, List<(GroupOutcome Outcome, string? Note)> Outcomes) General(
        Adapter adapter, List<Sizes> sizes, AdapterBalanceOptions options)
    {
        var edits = new Dictionary<string, TensorEdit>(StringComparer.Ordinal);
        var outcomes = new List<(GroupOutcome, string?)>();
        foreach (var (module, size) in adapter.Modules.Zip(sizes))
        {
            if (GeneralBalance.Solve(size.Aat, size.Btb, options.Balance.MaxLog2) is not { } balance)
            {
                outcomes.Add((GroupOutcome.Skipped, "one side is all zeros"));
                continue;
            }

            edits.Add(module.A.Info.Name, new MixEdit(module.A, balance.Transform, FromLeft: true));
            edits.Add(module.B.Info.Name, new MixEdit(module.B, balance.Inverse, FromLeft: false));
            outcomes.Add((GroupOutcome.Scaled, balance.Clipped ? "clamped: the factors do not have full rank, or all but" : null));
        }

        return (edits, outcomes);
    }

    private static Sizes Measure(AdapterModule module)
    {
        double[] a = LowRankUpdate.Values(module.A), b = LowRankUpdate.Values(module.B);
        if (!a.Concat(b).All(double.IsFinite))
            throw new WiscaException(
                $"module '{module.Name}' of the adapter holds NaN or infinity",
                "the adapter is broken (a diverged run?); take an earlier one");
        return new Sizes(Gram(a, module.Rank, module.Inputs, 1, module.Inputs), Gram(b, module.Rank, 1, module.Rank, module.Outputs));
    }

    /// <summary>The products of r vectors with each other.</summary>
    private static double[,] Gram(double[] values, int rank, int vectorStep, int step, int length)
    {
        double[,] gram = new double[rank, rank];
        for (int i = 0; i < rank; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = 0;
                for (int k = 0; k < length; k++) sum += values[(i * vectorStep) + (k * step)] * values[(j * vectorStep) + (k * step)];
                gram[i, j] = gram[j, i] = sum;
            }
        }

        return gram;
    }

    private sealed record Sizes(double[,] Aat, double[,] Btb)
    {
        public (double B, double A) Norms => (GeneralBalance.Norm(Btb), GeneralBalance.Norm(Aat));

        public double Imbalance => GeneralBalance.Imbalance(Aat, Btb);
    }
}
