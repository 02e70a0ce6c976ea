using TorchSharp;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// Muon (Jordan, "Muon: An optimizer for hidden layers in neural networks", 2024) for the matrices inside the model, AdamW for the rest.
/// m = momentum * m + (1 - momentum) * g; the direction is m (or its Nesterov form) with all singular values brought near 1 by
/// Newton-Schulz iterations; w *= 1 - lr * decay, w -= lr * scale * direction. State: <c>momentum_buffer</c> (m), or AdamW's.
/// </summary>
public sealed class Muon : Optimizer
{
    private const string Buffer = "momentum_buffer";
    private static readonly StateLayout[] Kept = [new(Buffer, -1)];

    private readonly MuonOptions _options;
    private readonly HashSet<OptimizedParameter> _hiddenMatrices;

    /// <summary>Prepares to update parameters.</summary>
    /// <param name="parameters">The parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <param name="options">Momentum, size of the steps, decay and groups; null for the defaults.</param>
    /// <exception cref="WiscaException">An option is out of range, a pattern matches nothing, or a parameter is not contiguous.</exception>
    public Muon(IEnumerable<(string name, Parameter parameter)> parameters, MuonOptions? options = null)
        : base(parameters, (options ?? new MuonOptions()).AdamW.Parameters)
    {
        _options = options ?? new MuonOptions();
        _options.Check();
        Func<string, bool>[] others =
        [
            .. _options.HeadPatterns.Concat(_options.AdamW.Parameters.EmbeddingPatterns).Select(NamePattern.Matcher),
        ];
        _hiddenMatrices =
        [
            .. Parameters.Where(parameter => parameter.Parameter.dim() == 2 && !others.Any(matches => matches(parameter.Name))),
        ];
        if (_hiddenMatrices.FirstOrDefault(parameter => parameter.Parts.Count > 0) is { } parted)
            throw new WiscaException(
                $"{parted.Name}: a part of it has a learning rate of its own, but muon updates whole matrices",
                "use another optimizer, or a multiplier for the whole tensor");
    }

    /// <inheritdoc />
    public override string Kind => "muon";

    private protected override IReadOnlyList<StateLayout> Layout(OptimizedParameter parameter) =>
        IsHiddenMatrix(parameter) ? Kept : AdamW.Moments;

    private protected override bool HasEpsilon(OptimizedParameter parameter) => !IsHiddenMatrix(parameter);

    private protected override void Update(IReadOnlyList<ParameterUpdate> updates, double learningRate)
    {
        foreach (var update in updates)
        {
            if (IsHiddenMatrix(update.Parameter)) Update(update, learningRate * update.LearningRateMultiplier);
        }

        AdamW.Update(updates.Where(update => !IsHiddenMatrix(update.Parameter)), learningRate, _options.AdamW);
    }

    private void Update(ParameterUpdate update, double rate)
    {
        using var scope = NewDisposeScope();
        var (weight, gradient) = (update.Weight, update.Gradient);
        var average = update.State(Buffer);
        average.Times_(_options.Momentum).Plus_(gradient, 1 - _options.Momentum);
        var direction = _options.Nesterov ? average.Times(_options.Momentum).Plus_(gradient, 1 - _options.Momentum) : average;
        double rows = weight.shape[0], columns = weight.shape[1];
        double scale =
            _options.Scale == MuonScale.AdamWSize ? 0.2 * Math.Sqrt(Math.Max(rows, columns)) : Math.Sqrt(Math.Max(1, rows / columns));
        weight.Times_(1 - (rate * update.WeightDecay));
        weight.Plus_(Orthogonalise(direction, _options.Iterations), -rate * scale);
    }

    /// <summary>
    /// Brings the singular values of a matrix near 1 (to between 0.7 and 1.2 after five iterations): X = aX + (bA + cA^2)X with A = XX^T,
    /// from X of Frobenius norm 1. A zero matrix stays zero. No epsilon beside the norm: the result does not depend on the matrix's scale.
    /// </summary>
    internal static Tensor Orthogonalise(Tensor matrix, int iterations)
    {
        const double a = 3.4445, b = -4.7750, c = 2.0315;
        using var scope = NewDisposeScope();
        bool tall = matrix.shape[0] > matrix.shape[1];
        var x = tall ? matrix.t() : matrix;
        using var least = 1e-30.ToScalar();
        x = x / x.norm().clamp_min(least);
        for (int i = 0; i < iterations; i++)
        {
            var gram = x.matmul(x.t());
            x = x.Times(a).Plus(gram.Times(b).Plus(gram.matmul(gram).Times(c)).matmul(x));
        }

        return (tall ? x.t() : x).MoveToOuterDisposeScope();
    }

    private bool IsHiddenMatrix(OptimizedParameter parameter) => _hiddenMatrices.Contains(parameter);
}
