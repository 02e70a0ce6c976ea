using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// SOAP (Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321): Adam for each matrix in the eigenbases of
/// Shampoo's two Gram matrices. With L and R the moving averages of g g^T and g^T g, U and V near their eigenvectors, m that of g, and v
/// that of (U^T g V)^2: w *= 1 - lr * decay, then w -= lr * U n V^T, where n = U^T m V / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).
/// As the authors' program has it, the first gradient only chooses U and V and moves nothing, U and V change after the update of their
/// step, and every so many updates they are the Q of the QR decomposition of L U and R V, by falling eigenvalues. Decay and epsilon are
/// where <see cref="AdamW"/> has them, and AdamW updates what is no matrix, or one whose sides are both too long.
/// State of [r, c]: <c>exp_avg</c> (m, [r, c]), <c>exp_avg_sq</c> (v, [r, c] in the bases), and for each side that is not too long
/// <c>gram_left</c> and <c>basis_left</c> (L and U, [r, r]), <c>gram_right</c> and <c>basis_right</c> (R and V, [c, c]).
/// </summary>
public sealed class Soap : Optimizer
{
    private const string Average = AdamW.FirstMoment, Squares = AdamW.SecondMoment;

    private static readonly (string Gram, string Basis)[] Sides = [("gram_left", "basis_left"), ("gram_right", "basis_right")];

    private readonly SoapOptions _options;

    /// <summary>Prepares to update parameters.</summary>
    /// <param name="parameters">The parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <param name="options">Betas, epsilon, bases, decay and groups; null for the defaults.</param>
    /// <exception cref="WiscaException">An option is out of range, a pattern matches nothing, or a parameter is not contiguous.</exception>
    public Soap(IEnumerable<(string name, Parameter parameter)> parameters, SoapOptions? options = null)
        : base(parameters, (options ?? new SoapOptions()).Parameters)
    {
        _options = options ?? new SoapOptions();
        _options.Check();
        if (Parameters.FirstOrDefault(parameter => parameter.Parts.Count > 0 && Rotated(parameter).Count > 0) is { } parted)
            throw new WiscaException(
                $"{parted.Name}: a part of it has a learning rate of its own, but soap updates whole matrices",
                "use another optimizer, or a multiplier for the whole tensor");
    }

    /// <inheritdoc />
    public override string Kind => "soap";

    private protected override IReadOnlyList<StateLayout> Layout(OptimizedParameter parameter)
    {
        var rotated = Rotated(parameter);
        if (rotated.Count == 0) return AdamW.Moments;
        return
        [
            new(Average, -1),
            new(Squares, -2, Coordinates(0), Coordinates(1)),
            .. rotated.Select(axis => new StateLayout(Sides[axis].Gram, -2, new(axis), new(axis))),
            .. rotated.Select(axis => new StateLayout(Sides[axis].Basis, 0, new(axis), new(axis, false))),
        ];

        AxisLayout Coordinates(int axis) => new(axis, Basis: rotated.Contains(axis) ? Sides[axis].Basis : null);
    }

    private protected override bool HasEpsilon(OptimizedParameter parameter) => true;

    private protected override void Update(IReadOnlyList<ParameterUpdate> updates, double learningRate)
    {
        foreach (var update in updates)
        {
            if (Rotated(update.Parameter) is { Count: > 0 } axes) Update(update, axes, learningRate * update.LearningRateMultiplier);
        }

        AdamW.Update(updates.Where(update => Rotated(update.Parameter).Count == 0), learningRate, _options.AdamW);
    }

    private void Update(ParameterUpdate update, IReadOnlyList<int> axes, double rate)
    {
        using var scope = NewDisposeScope();
        long updates = update.Parameter.Steps - 1;
        if (updates > 0) Move(update, axes, rate, updates);
        double beta = _options.ShampooBeta ?? _options.Beta2;
        foreach (int axis in axes)
        {
            Tensor rows = axis == 0 ? update.Gradient : update.Gradient.t(), gram = update.State(Sides[axis].Gram);
            gram.Times_(beta).Plus_(rows.matmul(rows.t()), 1 - beta);
            if (updates == 0) update.State(Sides[axis].Basis).copy_(linalg.eigh(gram.to(ScalarType.Float64)).Item2.flip(1));
            else if (updates % _options.Refresh == 0) Refresh(gram, update.State(Sides[axis].Basis), update.State(Squares), axis);
        }
    }

    private void Move(ParameterUpdate update, IReadOnlyList<int> axes, double rate, long updates)
    {
        Tensor average = update.State(Average), squares = update.State(Squares);
        var bases = axes.ToDictionary(axis => axis, axis => update.State(Sides[axis].Basis));
        average.Times_(_options.Beta1).Plus_(update.Gradient, 1 - _options.Beta1);
        squares.Times_(_options.Beta2).Plus_(Into(update.Gradient).Squared(), 1 - _options.Beta2);
        var root = squares.Over(1 - Math.Pow(_options.Beta2, updates)).sqrt_();
        var direction = Into(average).div_(root.Plus(_options.Epsilon * update.EpsilonMultiplier));
        if (bases.TryGetValue(0, out var left)) direction = left.matmul(direction);
        if (bases.TryGetValue(1, out var right)) direction = direction.matmul(right.t());
        update.Weight.Times_(1 - (rate * update.WeightDecay));
        update.Weight.Plus_(direction, -rate / (1 - Math.Pow(_options.Beta1, updates)));

        Tensor Into(Tensor matrix)
        {
            if (bases.TryGetValue(0, out var rows)) matrix = rows.t().matmul(matrix);
            return bases.TryGetValue(1, out var columns) ? matrix.matmul(columns) : matrix;
        }
    }

    /// <summary>
    /// One step of orthogonal iteration towards the eigenvectors, in float64: rounding errors of the largest eigenvalues would drown the
    /// small ones in float32. The second moments follow the order of the columns.
    /// </summary>
    private static void Refresh(Tensor gram, Tensor basis, Tensor squares, int axis)
    {
        var wide = basis.to(ScalarType.Float64);
        var product = gram.to(ScalarType.Float64).matmul(wide);

        // By its name: a bare 0 is a ScalarType to the compiler, and all would be summed.
        var order = (wide * product).sum(dim: 0).argsort(descending: true);
        squares.copy_(squares.index_select(axis, order));
        basis.copy_(linalg.qr(product.index_select(1, order)).Item1);
    }

    /// <summary>The axes of a matrix that have a basis of their own; none where AdamW updates the parameter.</summary>
    private List<int> Rotated(OptimizedParameter parameter) =>
        parameter.Parameter.shape is [_, _] shape ? [.. Enumerable.Range(0, 2).Where(axis => shape[axis] <= _options.MaxDimension)] : [];
}
