using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023): w *= 1 - lr * decay, w -= lr * sign(beta1 * m + (1 - beta1) *
/// g), then m = beta2 * m + (1 - beta2) * g. State: <c>exp_avg</c> (m).
/// </summary>
public sealed class Lion : Optimizer
{
    private const string Average = "exp_avg";
    private static readonly StateLayout[] Kept = [new(Average, -1)];

    private readonly LionOptions _options;

    /// <summary>Prepares to update parameters.</summary>
    /// <param name="parameters">The parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <param name="options">Betas, decay and groups; null for the defaults.</param>
    /// <exception cref="WiscaException">An option is out of range, a pattern matches nothing, or a parameter is not contiguous.</exception>
    public Lion(IEnumerable<(string name, Parameter parameter)> parameters, LionOptions? options = null)
        : base(parameters, (options ?? new LionOptions()).Parameters)
    {
        _options = options ?? new LionOptions();
        _options.Check();
    }

    /// <inheritdoc />
    public override string Kind => "lion";

    private protected override IReadOnlyList<StateLayout> Layout(OptimizedParameter parameter) => Kept;

    private protected override bool HasEpsilon(OptimizedParameter parameter) => false;

    private protected override void Update(IReadOnlyList<ParameterUpdate> updates, double learningRate)
    {
        foreach (var bucket in updates.GroupBy(update => (update.LearningRateMultiplier, update.WeightDecay)))
        {
            double rate = learningRate * bucket.Key.LearningRateMultiplier, decay = bucket.Key.WeightDecay;
            Tensor[] weights = [.. bucket.Select(update => update.Weight)], gradients = [.. bucket.Select(update => update.Gradient)];
            Tensor[] averages = [.. bucket.Select(update => update.State(Average))];
            var directions = OptimizerKernels.Multiplied(averages, _options.Beta1);
            OptimizerKernels.Add(directions, gradients, 1 - _options.Beta1);
            OptimizerKernels.Sign(directions);
            if (decay != 0) OptimizerKernels.Multiply(weights, 1 - (rate * decay));
            OptimizerKernels.Add(weights, directions, -rate);
            OptimizerKernels.Multiply(averages, _options.Beta2);
            OptimizerKernels.Add(averages, gradients, 1 - _options.Beta2);
        }
    }
}
