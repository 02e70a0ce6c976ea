using System.Globalization;
using Wisca.Library.Documents;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Library.Sessions;

/// <summary>
/// Solves a plan with numbers that another program measures: it says what it needs, is given it, and so on until it is done. What the plan
/// needs in any case is asked for at once. Where exchanges share a tensor each sweep depends on the one before: the balancer then runs on a
/// thread of its own, which waits for what it asks.
/// </summary>
internal sealed class SolveSession : IDisposable
{
    private readonly PlanSession _plan;
    private readonly TransitionPlan _transitions;
    private readonly Source _source;
    private IReadOnlyList<SolveState.MeasureEntry>? _asked;
    private TransitionSolution? _solution;
    private Thread? _worker;

    /// <summary>A solve that measures.</summary>
    /// <exception cref="RequestException">The plan has no transitions.</exception>
    public SolveSession(PlanSession plan)
    {
        _plan = plan;
        _transitions = plan.Transitions ?? throw new RequestException("the plan has no transitions to solve");
        _source = new Source(plan);
    }

    /// <summary>A solve that is done.</summary>
    public SolveSession(PlanSession plan, TransitionSolution solution)
        : this(plan) => _solution = solution;

    /// <summary>The solution.</summary>
    /// <exception cref="RequestException">It is not found yet.</exception>
    public TransitionSolution Solution =>
        _solution ?? throw new RequestException("the solve is not done: call wisca_solve_next until it is");

    /// <summary>The tensors' factors, in the order that <see cref="Next"/> tells them in.</summary>
    public IReadOnlyList<(string Tensor, AxisFactors Factors)> Factors =>
        [.. Solution.Factors(_plan.LengthOf).OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => (entry.Key, entry.Value))];

    /// <summary>What is needed next, or what was found.</summary>
    public SolveState Next()
    {
        if (_solution is null && _asked is null)
        {
            _asked = FirstMeasures();
            if (_asked.Count == 0) Advance();
        }

        if (_solution is null) return new SolveState(false, _asked!.Sum(Numbers)) { Measures = _asked };
        var factors = Factors;
        return new SolveState(true, factors.Sum(entry => (entry.Factors.Rows?.Length ?? 0) + (entry.Factors.Columns?.Length ?? 0)))
        {
            Factors =
            [
                .. factors.Select(entry => new SolveState.FactorsEntry(
                    entry.Tensor, entry.Factors.Rows?.Length ?? 0, entry.Factors.Columns?.Length ?? 0, entry.Factors.AddsOne)),
            ],
            Groups = [.. Groups()],
            Objective = Solution.Objective is { } objective
                ? new SolveState.ObjectiveEntry(objective.Before, objective.After, objective.Sweeps)
                : null,
        };
    }

    /// <summary>Takes what was asked for.</summary>
    /// <exception cref="RequestException">Nothing was asked for, or it is another count.</exception>
    /// <exception cref="WiscaException">A number is NaN or infinite.</exception>
    public void Provide(ReadOnlySpan<double> numbers)
    {
        if (_solution is not null || _asked is null) throw new RequestException("nothing is asked for: call wisca_solve_next first");
        int expected = _asked.Sum(Numbers);
        if (numbers.Length != expected) throw new RequestException($"{numbers.Length} numbers are provided, expected {expected}");
        var rest = numbers;
        foreach (var measure in _asked)
        {
            var own = rest[..Numbers(measure)];
            foreach (double number in own)
            {
                if (!double.IsFinite(number) || number < 0)
                    throw new WiscaException(
                        $"parameter '{measure.Tensor}' holds NaN or infinity",
                        "the run has diverged; go back to an earlier checkpoint, with a lower learning rate");
            }

            _source.Add(measure, own);
            rest = rest[own.Length..];
        }

        Advance();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _source.Stop();
        _worker?.Join();
        _source.Dispose();
    }

    /// <summary>Goes on until more is needed or all is found.</summary>
    private void Advance()
    {
        if (_worker is null)
        {
            _worker = new Thread(() => _source.Work(() =>
                Balancer.Solve(_transitions, _source, _transitions.Options.Balance, _plan.LengthOf)))
            {
                IsBackground = true,
            };
            _worker.Start();
        }
        else _source.Resume();

        (_asked, _solution) = _source.Wait();
    }

    /// <summary>What the balancer measures first, whatever the numbers are; singular values it asks for itself.</summary>
    private List<SolveState.MeasureEntry> FirstMeasures()
    {
        var seen = new HashSet<(string, int, int)>();
        var measures = new List<SolveState.MeasureEntry>();
        foreach (var exchange in _transitions.Exchanges)
        {
            foreach (var slice in exchange.Slices.Where(slice => !slice.IsBias))
            {
                if (seen.Add((slice.Tensor, slice.Axis, slice.Parts)))
                    measures.Add(_source.Entry(slice.Tensor, slice.Axis, slice.Parts, slice.AddsOne, null));
            }
        }

        return measures;
    }

    private IEnumerable<SolveState.GroupEntry> Groups()
    {
        for (int index = 0; index < Solution.Balances.Length; index++)
        {
            var exchange = Solution.Plan.Exchanges[index];
            for (int group = 0; group < Solution.Balances[index].Length; group++)
            {
                var balance = Solution.Balances[index][group];
                yield return new SolveState.GroupEntry(
                    index, group, exchange.Layer, exchange.Kind.Name(), Label(exchange, balance.Label), balance.MultipliedNorm,
                    balance.DividedNorm, balance.Factor, balance.Outcome.Name(), balance.Note);
            }
        }
    }

    private static string Label(Exchange exchange, GroupLabel label)
    {
        string?[] parts =
        [
            exchange.Space.Length == 0 ? null : exchange.Space,
            label.Expert is { } expert ? string.Create(CultureInfo.InvariantCulture, $"expert {expert}") : null,
            label.KvHead is { } head ? string.Create(CultureInfo.InvariantCulture, $"head {head}") : null,
            label.Channel is { } channel ? string.Create(CultureInfo.InvariantCulture, $"channel {channel}") : null,
        ];
        return string.Join(' ', parts.OfType<string>());
    }

    private static int Numbers(SolveState.MeasureEntry measure) =>
        measure.GroupOfIndex is not null ? measure.Groups : measure.Length * (measure.SecondMoments ? 3 : 2);

    /// <summary>The tensors as the balancer sees them: what was provided, and a request for what was not.</summary>
    private sealed class Source(PlanSession plan) : ITensorSource, IDisposable
    {
        private const string Axis = "axis", Spectral = "spectral";

        private readonly Dictionary<(string, int, int), (double[]? Others, AxisStatistics Statistics)> _measured = [];
        private readonly List<(string Tensor, int Axis, int[] GroupOfIndex, double[] Norms)> _spectra = [];
        private readonly SemaphoreSlim _turn = new(0), _answer = new(0);
        private SolveState.MeasureEntry? _missing;
        private TransitionSolution? _found;
        private Exception? _fault;
        private volatile bool _stopped;

        public Dtype DtypeOf(string tensor) => plan.DtypeOf(tensor);

        public SolveState.MeasureEntry Entry(string tensor, int axis, int parts, bool addsOne, double[]? others) => new(
            // The balancer goes on changing its factors.
            Axis, tensor, axis, parts, addsOne, others?.ToArray(), plan.Transitions!.Options.Balance.Criterion == Criterion.Fisher,
            plan.LengthOf(tensor, axis) * parts, null, 0);

        public static SolveState.MeasureEntry Entry(string tensor, int axis, int[] groupOfIndex, int groups) => new(
            Spectral, tensor, axis, 1, false, null, false, groupOfIndex.Length, groupOfIndex, groups);

        public void Add(SolveState.MeasureEntry measure, ReadOnlySpan<double> numbers)
        {
            if (measure.GroupOfIndex is { } groups)
            {
                _spectra.Add((measure.Tensor, measure.Axis, groups, numbers.ToArray()));
                return;
            }

            // The least and the greatest element count where bits are lost on disk; nothing here asks for them.
            int n = measure.Length;
            _measured[(measure.Tensor, measure.Axis, measure.Parts)] = (
                measure.Others,
                new AxisStatistics(numbers[..n].ToArray(), numbers[n..(2 * n)].ToArray(), new double[n], new double[n], Elements(measure))
                {
                    SumOfSecondMoments = measure.SecondMoments ? numbers[(2 * n)..].ToArray() : null,
                });
        }

        public AxisStatistics Measure(string tensor, int axis, int parts = 1, bool addsOne = false, double[]? others = null)
        {
            var key = (tensor, axis, parts);
            if (!_measured.TryGetValue(key, out var entry) || !Same(entry.Others, others))
            {
                Ask(Entry(tensor, axis, parts, addsOne, others));
                entry = _measured[key];
            }

            return entry.Statistics;
        }

        public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups)
        {
            if (Known() is { } known) return known;
            Ask(Entry(tensor, axis, groupOfIndex, groups));
            return Known()!;

            double[]? Known() => _spectra.FirstOrDefault(entry =>
                entry.Tensor == tensor && entry.Axis == axis && entry.GroupOfIndex.AsSpan().SequenceEqual(groupOfIndex)).Norms;
        }

        /// <summary>On the worker: solves, and hands over.</summary>
        public void Work(Func<TransitionSolution> solve)
        {
            try
            {
                _found = solve();
            }
            catch (Exception exception)
            {
                _fault = exception;
            }

            _answer.Release();
        }

        /// <summary>On the caller: waits for a request or the end.</summary>
        public (IReadOnlyList<SolveState.MeasureEntry>? Asked, TransitionSolution? Solution) Wait()
        {
            _answer.Wait();
            if (_fault is { } fault) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);
            return (_missing is { } missing ? [missing] : null, _found);
        }

        public void Resume()
        {
            _missing = null;
            _turn.Release();
        }

        public void Stop()
        {
            _stopped = true;
            _turn.Release();
        }

        public void Dispose()
        {
            _turn.Dispose();
            _answer.Dispose();
        }

        private void Ask(SolveState.MeasureEntry measure)
        {
            _missing = measure;
            _answer.Release();
            _turn.Wait();
            if (_stopped) throw new OperationCanceledException();
        }

        private long Elements(SolveState.MeasureEntry measure)
        {
            int rows = plan.LengthOf(measure.Tensor, 0), columns = plan.LengthOf(measure.Tensor, 1);
            bool isVector = measure.Axis == 0 && plan.IsVector(measure.Tensor);
            return isVector ? 1 : measure.Axis == 0 ? columns : rows / measure.Parts;
        }

        private static bool Same(double[]? left, double[]? right) =>
            left is null || right is null ? left == right : left.AsSpan().SequenceEqual(right);
    }
}
