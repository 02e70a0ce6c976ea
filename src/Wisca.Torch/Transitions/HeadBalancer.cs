using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using TorchSharp.Modules;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Optimizers;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// Balances the two sides of each head while a model trains: between W_v and W_o, and between W_q and W_k where RoPE does not act, any
/// invertible matrix M may go, M on the one side and M^-T on the other. The one that is chosen is symmetric and makes the sides' products
/// with themselves equal, where |W_v|^2 + |W_o|^2 is least. Momenta follow by the inverse, transposed. Not for use from several threads.
/// </summary>
public sealed class HeadBalancer : IDisposable
{
    private const string CountKey = "wisca.balancings";

    private readonly LiveModel _model;
    private readonly HeadBalancerOptions _options;
    private readonly Dictionary<string, Parameter> _parameters;
    private readonly Dictionary<string, (Tensor Matrix, Tensor Dual)> _totals = new(StringComparer.Ordinal);

    /// <param name="parameters">The model's parameters by name.</param>
    /// <param name="plan">What may be rotated; made from the same names.</param>
    /// <param name="options">When, and what becomes of second moments.</param>
    /// <param name="states">What is kept beside the parameters: the optimizer, averages of weights.</param>
    /// <exception cref="WiscaException">In no layer a head has a free basis.</exception>
    public HeadBalancer(
        IEnumerable<(string Name, Parameter Parameter)> parameters, RotationPlan plan, HeadBalancerOptions options,
        params IReadOnlyList<IParameterState> states)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(states);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Every, 1, nameof(options));
        _parameters = parameters.ToDictionary(entry => entry.Name, entry => entry.Parameter, StringComparer.Ordinal);
        _model = new LiveModel(_parameters.Select(entry => (entry.Key, (Tensor)entry.Value)), states);
        _options = options;
        Spaces = [.. plan.Spaces.Where(space => space.Kind is RotationKind.ValueOutput or RotationKind.QueryKey)];
        if (Spaces.IsEmpty)
            throw new WiscaException(
                "balance heads: not exact in this model"
                + $"{(plan.Refusals.FirstOrDefault(refusal => refusal.Kind == RotationKind.ValueOutput) is { } refusal
                    ? $": {refusal.Reason}" : "")}",
                "leave wisca.balance out");
        foreach (var space in Spaces)
            _totals[space.Name] = (Identity(space.Size), Identity(space.Size));

        static Tensor Identity(int size) => eye(size, dtype: ScalarType.Float64).DetachFromDisposeScope();
    }

    /// <summary>What is balanced.</summary>
    public ImmutableArray<RotatedSpace> Spaces { get; }

    /// <summary>Number of balancings so far.</summary>
    public long Balancings { get; private set; }

    /// <summary>Balances where that is due after so many optimizer steps.</summary>
    /// <param name="step">Number of optimizer steps taken.</param>
    /// <param name="probe">The loss on a batch that stays the same, to verify that the function did; null to trust it.</param>
    /// <returns>What was done; null where nothing was due.</returns>
    /// <exception cref="WiscaException">Weights hold NaN or infinity, or the probe shows that the function changed; it is then taken
    /// back.</exception>
    public HeadBalanceEvent? Step(long step, Func<double>? probe = null) => _options.IsDue(step) ? Apply(step, probe) : null;

    /// <summary>Balances now.</summary>
    /// <param name="step">Number of optimizer steps taken, for the record.</param>
    /// <param name="probe">The loss on a batch that stays the same, to verify that the function did; null to trust it.</param>
    /// <exception cref="WiscaException">As for <see cref="Step"/>.</exception>
    public HeadBalanceEvent Apply(long step, Func<double>? probe = null)
    {
        double lossBefore = probe?.Invoke() ?? 0;
        string[] tensors = [.. Spaces.SelectMany(space => space.Tensors).Distinct()];
        var copies = probe is null ? [] : _model.Copied(tensors, _options.State != SecondMomentPolicy.Reset);
        try
        {
            var watch = Stopwatch.StartNew();
            var balances = new List<(RotatedSpace Space, GeneralBalance Balance)>();
            double before = 0, after = 0;
            if (_options.State == SecondMomentPolicy.Reset) _model.Reset(tensors);
            foreach (var space in Spaces)
            {
                double[,] first = _model.Gram(space, dual: false), second = _model.Gram(space, dual: true);
                if (GeneralBalance.Solve(first, second, _options.MaxLog2) is not { } balance) continue;
                before += GeneralBalance.Imbalance(first, second);
                _model.Mix(space, balance.Transform, balance.Inverse, _options.State);
                after += GeneralBalance.Imbalance(_model.Gram(space, dual: false), _model.Gram(space, dual: true));
                balances.Add((space, balance));
            }

            watch.Stop();
            int count = balances.Count;
            var done = new HeadBalanceEvent(
                step, count, Spaces.Length - count, balances.Count(entry => entry.Balance.Clipped), count == 0 ? 0 : before / count,
                count == 0 ? 0 : after / count, watch.Elapsed);
            if (probe is not null)
            {
                double lossAfter = probe();
                done = done with { Loss = (lossBefore, lossAfter) };
                if (!(Math.Abs(lossAfter - lossBefore) <= Tolerance * Math.Abs(lossBefore)))
                    throw TakenBack(step, lossBefore, lossAfter, copies);
            }

            foreach (var (space, balance) in balances) Remember(space, balance);
            Balancings++;
            return done;
        }
        finally
        {
            foreach (var (_, copy) in copies) copy.Dispose();
        }
    }

    /// <summary>
    /// The product of all matrices of a space so far, and that of their inverses, transposed, by which the other side goes: what lay along
    /// axis i at first is row i now.
    /// </summary>
    /// <param name="space">The space.</param>
    public (double[,] Matrix, double[,] Dual) TotalOf(RotatedSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        var (matrix, dual) = _totals[space.Name];
        return (RotationBasis.ToArray(matrix), RotationBasis.ToArray(dual));
    }

    /// <summary>Writes the products of all matrices as a safetensors file in float64.</summary>
    /// <param name="path">The file; it is replaced once the new one is complete.</param>
    /// <exception cref="WiscaException">The file cannot be written.</exception>
    public void Save(string path) => StateFile.Write(
        path,
        [
            .. _totals.SelectMany(entry => new[]
            {
                (Name(entry.Key, dual: false), entry.Value.Matrix), (Name(entry.Key, dual: true), entry.Value.Dual),
            }),
        ],
        new Dictionary<string, string> { [CountKey] = Balancings.ToString(CultureInfo.InvariantCulture) });

    /// <summary>Reads what <see cref="Save"/> wrote, to the bit.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">It is not the state of these heads; nothing has changed.</exception>
    public void Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        StateFile.ThrowIfAny(
            [
                .. Spaces
                    .SelectMany(
                        _ => (bool[])[false, true],
                        (space, dual) => StateFile.Difference(
                            file, Name(space.Name, dual), [space.Size, space.Size], ScalarType.Float64))
                    .OfType<string>(),
            ],
            path, "the balanced heads are not those of this run");
        foreach (var space in Spaces)
        {
            Free(_totals[space.Name]);
            _totals[space.Name] = (Read(dual: false), Read(dual: true));

            Tensor Read(bool dual) => StateFile.Read(file, file.Header.Find(Name(space.Name, dual))!, ScalarType.Float64, CPU);
        }

        Balancings = file.Header.Metadata.TryGetValue(CountKey, out string? count)
            && long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var total in _totals.Values) Free(total);
    }

    private static void Free((Tensor Matrix, Tensor Dual) total)
    {
        total.Matrix.Dispose();
        total.Dual.Dispose();
    }

    private static string Name(string space, bool dual) => $"{space}/{(dual ? "dual" : "matrix")}";

    private double Tolerance => Spaces.SelectMany(space => space.Slices).Max(slice => _parameters[slice.Tensor].dtype switch
    {
        ScalarType.Float64 => 1e-11,
        ScalarType.Float32 => 1e-5,
        _ => 3e-2,
    });

    private void Remember(RotatedSpace space, GeneralBalance balance)
    {
        using var scope = NewDisposeScope();
        var (matrix, dual) = _totals[space.Name];
        matrix.copy_(matrix.matmul(tensor(balance.Transform)));
        dual.copy_(dual.matmul(tensor(balance.Inverse)));
    }

    private static WiscaException TakenBack(
        long step, double before, double after, IReadOnlyList<(Tensor Tensor, Tensor Copy)> copies)
    {
        using (no_grad())
        {
            foreach (var (tensor, copy) in copies) tensor.copy_(copy);
        }

        return new WiscaException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"the balancing of heads after step {step} changed the loss of a fixed batch from {before:R} to {after:R}; "
                + $"it was taken back"),
            "something in the forward pass sees more of a head than q.k and W_o v");
    }
}
