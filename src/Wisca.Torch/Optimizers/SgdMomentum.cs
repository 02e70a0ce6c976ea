using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// Stochastic gradient descent with momentum, as PyTorch computes it: b = momentum * b + g, w -= lr * b, without dampening. State:
/// <c>momentum_buffer</c> (b), where momentum is not 0.
/// </summary>
public sealed class SgdMomentum : Optimizer
{
    private const string Buffer = "momentum_buffer";
    private static readonly StateLayout[] Kept = [new(Buffer, -1)];

    private readonly SgdMomentumOptions _options;

    /// <summary>Prepares to update parameters.</summary>
    /// <param name="parameters">The parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <param name="options">Momentum, decay and groups; null for the defaults.</param>
    /// <exception cref="WiscaException">An option is out of range, a pattern matches nothing, or a parameter is not contiguous.</exception>
    public SgdMomentum(IEnumerable<(string name, Parameter parameter)> parameters, SgdMomentumOptions? options = null)
        : base(parameters, (options ?? new SgdMomentumOptions()).Parameters)
    {
        _options = options ?? new SgdMomentumOptions();
        _options.Check();
    }

    /// <inheritdoc />
    public override string Kind => "sgd";

    private protected override IReadOnlyList<StateLayout> Layout(OptimizedParameter parameter) =>
        _options.Momentum == 0 ? [] : Kept;

    private protected override bool HasEpsilon(OptimizedParameter parameter) => false;

    private protected override void Update(IReadOnlyList<ParameterUpdate> updates, double learningRate)
    {
        foreach (var bucket in updates.GroupBy(update => (update.LearningRateMultiplier, update.WeightDecay)))
        {
            double rate = learningRate * bucket.Key.LearningRateMultiplier, decay = bucket.Key.WeightDecay;
            Tensor[] weights = [.. bucket.Select(update => update.Weight)], directions = [.. bucket.Select(update => update.Gradient)];
            if (decay != 0 && _options.DecoupledDecay) OptimizerKernels.Multiply(weights, 1 - (rate * decay));
            else if (decay != 0) directions = OptimizerKernels.Added(directions, weights, decay);
            if (_options.Momentum != 0)
            {
                Tensor[] buffers = [.. bucket.Select(update => update.State(Buffer))];
                OptimizerKernels.Multiply(buffers, _options.Momentum);
                OptimizerKernels.Add(buffers, directions, 1);
                directions = _options.Nesterov ? OptimizerKernels.Added(directions, buffers, _options.Momentum) : buffers;
            }

            OptimizerKernels.Add(weights, directions, -rate);
        }
    }
}
