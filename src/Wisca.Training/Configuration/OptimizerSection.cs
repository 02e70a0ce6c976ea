using System.Globalization;
using Wisca.Settings;
using Wisca.Torch.Optimizers;

namespace Wisca.Training.Configuration;

/// <summary>The update rule of a run.</summary>
public sealed record OptimizerSection : ISettingsSection
{
    /// <summary>adamw; sgd: with momentum; lion; muon: for the matrices inside the layers, with adamw for the rest.</summary>
    [Setting("adamw; sgd: with momentum; lion; muon: for the matrices inside the layers, with adamw for the rest.")]
    public OptimizerKind Name { get; init; } = OptimizerKind.AdamW;

    /// <summary>Learning rate after warm-up.</summary>
    [Setting("Learning rate after warm-up.", Minimum = 0, Above = true)]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Decay of the first and second moment; none for 0.9 and 0.95 (lion: 0.9 and 0.99).</summary>
    [Setting(
        "Decay of the first and second moment; none for 0.9 and 0.95 (lion: 0.9 and 0.99).", Minimum = 0, Maximum = 1, Below = true,
        Count = 2)]
    public IReadOnlyList<double>? Betas { get; init; }

    /// <summary>What adamw adds to the root of the second moment; none for 1e-8.</summary>
    [Setting("What adamw adds to the root of the second moment; none for 1e-8.", Minimum = 0)]
    public double? Epsilon { get; init; }

    /// <summary>Momentum of sgd (none for 0.9) and muon (none for 0.95).</summary>
    [Setting("Momentum of sgd (none for 0.9) and muon (none for 0.95).", Minimum = 0, Maximum = 1, Below = true)]
    public double? Momentum { get; init; }

    /// <summary>Decoupled weight decay: a step takes learning rate x weight decay of a weight away. Norms and biases have none.</summary>
    [Setting(
        "Decoupled weight decay: a step takes learning rate x weight decay of a weight away. Norms and biases have none.",
        Minimum = 0)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Whether embeddings decay too.</summary>
    [Setting("Whether embeddings decay too.")]
    public bool DecayEmbeddings { get; init; } = true;

    /// <summary>
    /// Learning rates of single tensors as multiples of the common one. Several that match one tensor multiply, and one that matches none
    /// is an error.
    /// </summary>
    [Setting(
        "Learning rates of single tensors as multiples of the common one. Several that match one tensor multiply, and one that matches "
        + "none is an error.")]
    public IReadOnlyList<ParameterMultiplier> Multipliers { get; init; } = [];

    /// <summary>Largest global norm of the gradients, to which longer ones are shortened; 0 or none for no clipping.</summary>
    [Setting("Largest global norm of the gradients, to which longer ones are shortened; 0 or none for no clipping.", Minimum = 0)]
    public double? Clip { get; init; } = 1;

    /// <summary>The two decays, those that the optimizer has by default where none are set.</summary>
    public (double First, double Second) BetasOrDefault =>
        Betas is [var first, var second] ? (first, second) : (0.9, Name == OptimizerKind.Lion ? 0.99 : 0.95);

    /// <summary>The epsilon, 1e-8 where none is set.</summary>
    public double EpsilonOrDefault => Epsilon ?? 1e-8;

    /// <summary>The momentum, the one that the optimizer has by default where none is set.</summary>
    public double MomentumOrDefault => Momentum ?? (Name == OptimizerKind.Muon ? 0.95 : 0.9);

    /// <summary>The largest norm of the gradients; null for no clipping.</summary>
    public double? ClipNorm => Clip is > 0 ? Clip : null;

    /// <summary>Which tensors decay, and what differs from tensor to tensor.</summary>
    public ParameterSettings ParameterSettings => new()
    {
        WeightDecay = WeightDecay,
        DecayEmbeddings = DecayEmbeddings,
        Rules =
        [
            .. Multipliers.Select(rule => new ParameterRule(rule.Parameters)
            {
                LearningRateMultiplier = rule.LearningRate,
                KeepDecay = rule.KeepDecay,
                WeightDecay = rule.WeightDecay,
                EpsilonMultiplier = rule.Epsilon,
                Part = PartOf(rule.Part),
            }),
        ],
    };

    private static (int Number, int Of)? PartOf(string? text) =>
        text?.Split('/') is [var number, var count]
            ? (int.Parse(number, CultureInfo.InvariantCulture), int.Parse(count, CultureInfo.InvariantCulture))
            : null;

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Betas is not null && Name == OptimizerKind.Sgd)
            given.Contradict(["betas", "name"], "given for sgd, expected none: it has momentum instead");
        if (Epsilon is not null && Name is OptimizerKind.Sgd or OptimizerKind.Lion)
            given.Contradict(["epsilon", "name"], "given, expected none: this optimizer has no epsilon");
        if (Momentum is not null && Name is OptimizerKind.AdamW or OptimizerKind.Lion)
            given.Contradict(["momentum", "name"], "given, expected none: this optimizer has betas instead");
        if (Multipliers.Any(rule => rule.Epsilon != 1) && Name is OptimizerKind.Sgd or OptimizerKind.Lion)
            given.Contradict(["multipliers", "name"], "with an epsilon, expected none: this optimizer has no epsilon");
        return this;
    }
}
