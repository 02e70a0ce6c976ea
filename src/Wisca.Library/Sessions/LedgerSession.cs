using System.Collections.Immutable;
using Wisca.Library.Documents;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Library.Sessions;

/// <summary>The running product of all transitions of a training.</summary>
internal sealed class LedgerSession
{
    private readonly PlanSession _plan;
    private readonly double[][] _product;
    private long _transitions;

    /// <param name="plan">The plan.</param>
    /// <param name="state">What <see cref="State"/> gave; null to begin.</param>
    /// <exception cref="RequestException">The state is not one.</exception>
    /// <exception cref="WiscaException">It is of another plan.</exception>
    public LedgerSession(PlanSession plan, string? state)
    {
        _plan = plan;
        int[] groups = [.. (plan.Transitions?.Exchanges ?? []).Select(exchange => exchange.Groups.Length)];
        if (state is null)
        {
            _product = [.. groups.Select(count => Enumerable.Repeat(1.0, count).ToArray())];
            return;
        }

        var saved = LibraryJson.Read(state, LibraryJson.Default.LedgerState, "state");
        if (!saved.Product.Select(factors => factors?.Length ?? -1).SequenceEqual(groups))
            throw new WiscaException(
                "the saved transitions are those of another plan", "resume with the model and the transitions that the run began with");
        if (saved.Product.Any(factors => factors.Any(factor => !(factor > 0) || !double.IsFinite(factor) || !double.IsFinite(1 / factor))))
            throw new RequestException("state: a factor is not a positive number");
        (_product, _transitions) = (saved.Product, saved.Transitions);
    }

    /// <summary>Adds a transition that was applied.</summary>
    /// <exception cref="RequestException">It is not done, or of another plan.</exception>
    public void Record(SolveSession solve)
    {
        var balances = solve.Solution.Balances;
        if (!balances.Select(groups => groups.Length).SequenceEqual(_product.Select(factors => factors.Length)))
            throw new RequestException("the solve is one of another plan");
        for (int index = 0; index < balances.Length; index++)
        {
            for (int group = 0; group < balances[index].Length; group++) _product[index][group] *= balances[index][group].Factor;
        }

        _transitions++;
    }

    public LedgerState State() => new(_transitions, _product);

    /// <summary>A solve that is done: its factors take all transitions back.</summary>
    public SolveSession Undo()
    {
        var transitions = _plan.Transitions ?? throw new RequestException("the plan has no transitions to undo");
        return new SolveSession(_plan, new TransitionSolution(
            transitions,
            [
                .. transitions.Exchanges.Select((exchange, index) => (ImmutableArray<GroupBalance>)
                [
                    .. exchange.Groups.Select((label, group) => new GroupBalance(
                        label, 0, 0, 1 / _product[index][group],
                        _product[index][group] == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled, null)),
                ]),
            ]));
    }

    /// <summary>Writes <c>wisca.json</c>, and the file of rotations, beside a model's weights.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="totals">R total of each space of the plan in order, row by row; empty for none.</param>
    /// <param name="from">The folder that the training began from; null for none.</param>
    /// <exception cref="RequestException">It is another number of numbers.</exception>
    /// <exception cref="WiscaException">The folder is not a model with the plan's tensors.</exception>
    public void Write(string folder, ReadOnlySpan<double> totals, string? from)
    {
        var spaces = _plan.Rotations?.Spaces ?? [];
        int expected = totals.IsEmpty ? 0 : spaces.Sum(space => space.Size * space.Size);
        if (totals.Length != expected) throw new RequestException($"{totals.Length} numbers of rotations are given, expected {expected}");
        var rotations = new List<(RotatedSpace Space, double[,] Total, double[,]? Dual)>();
        if (!totals.IsEmpty)
        {
            var rest = totals;
            foreach (var space in spaces)
            {
                rotations.Add((space, Matrices.Read(rest[..(space.Size * space.Size)], space.Size), null));
                rest = rest[(space.Size * space.Size)..];
            }
        }

        string own = Path.Combine(folder, Ledger.FileName);
        if (File.Exists(own))
            throw new WiscaException($"{own} exists", "it tells of the weights beside it: move it away where these were written anew");
        var history = from is null ? [] : Ledger.Load(from)?.Moves ?? [];
        TrainedMove.Write(
            folder, _plan.Transitions, [.. _product.Select(factors => (ImmutableArray<double>)[.. factors])], history, rotations,
            from is null ? null : TrainedMove.ReadFiles(from, history));
    }
}
