using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019), as PyTorch computes it: with
/// m and v the moving averages of g and g^2, w *= 1 - lr * decay, then w -= lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).
/// One fused kernel updates all parameters that share learning rate, decay, epsilon, type and device.
/// State: <c>exp_avg</c> (m) and <c>exp_avg_sq</c> (v).
/// </summary>
public sealed class AdamW : Optimizer
{
    internal const string FirstMoment = "exp_avg", SecondMoment = "exp_avg_sq";
    internal static readonly StateLayout[] Moments = [new(FirstMoment, -1), new(SecondMoment, -2)];

    private readonly AdamWOptions _options;

    /// <summary>Prepares to update parameters.</summary>
    /// <param name="parameters">The parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <param name="options">Betas, epsilon, decay and groups; null for the defaults.</param>
    /// <exception cref="WiscaException">An option is out of range, a pattern matches nothing, or a parameter is not contiguous.</exception>
    public AdamW(IEnumerable<(string name, Parameter parameter)> parameters, AdamWOptions? options = null)
        : base(parameters, (options ?? new AdamWOptions()).Parameters)
    {
        _options = options ?? new AdamWOptions();
        _options.Check();
    }

    /// <inheritdoc />
    public override string Kind => "adamw";

    private protected override IReadOnlyList<StateLayout> Layout(OptimizedParameter parameter) => Moments;

    private protected override bool HasEpsilon(OptimizedParameter parameter) => true;

    private protected override void Update(IReadOnlyList<ParameterUpdate> updates, double learningRate) =>
        Update(updates, learningRate, _options);

    internal static void Update(IEnumerable<ParameterUpdate> updates, double learningRate, AdamWOptions options)
    {
        foreach (var bucket in updates.GroupBy(update => (
            update.LearningRateMultiplier,
            update.WeightDecay,
            update.EpsilonMultiplier,
            update.Weight.dtype,
            update.Weight.device.ToString())))
        {
            var (multiplier, decay, epsilon, _, _) = bucket.Key;
            var device = bucket.First().Weight.device;
            var steps = bucket
                .Select(update => update.Parameter.Steps)
                .Distinct()
                .ToDictionary(count => count, count => tensor((float)count, device: device));
            OptimizerKernels.AdamW(
                [.. bucket.Select(update => update.Weight)],
                [.. bucket.Select(update => update.Gradient)],
                [.. bucket.Select(update => update.State(FirstMoment))],
                [.. bucket.Select(update => update.State(SecondMoment))],
                [.. bucket.Select(update => steps[update.Parameter.Steps])],
                learningRate * multiplier,
                options.Beta1,
                options.Beta2,
                decay,
                options.Epsilon * epsilon);
        }
    }
}
