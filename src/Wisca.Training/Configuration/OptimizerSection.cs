using System.Globalization;
using Wisca.Settings;
using Wisca.Torch.Optimizers;

namespace Wisca.Training.Configuration;

/// <summary>The update rule of a run.</summary>
public sealed record OptimizerSection : ISettingsSection
{
    /// <summary>
    /// adamw; sgd: with momentum; lion; muon: for the matrices inside the layers, with adamw for the rest; soap: adam in the eigenbases
    /// of the gradient's Gram matrices, for every matrix, with adamw for the rest.
    /// </summary>
    [Setting(
        "adamw; sgd: with momentum; lion; muon: for the matrices inside the layers, with adamw for the rest; soap: adam in the eigenbases "
        + "of the gradient's Gram matrices, for every matrix, with adamw for the rest.")]
    public OptimizerKind Name { get; init; } = OptimizerKind.AdamW;

    /// <summary>Learning rate after warm-up.</summary>
    [Setting("Learning rate after warm-up.", Minimum = 0, Above = true)]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Decay of the first and second moment; none for 0.9 and 0.95 (lion: 0.9 and 0.99; soap: 0.95 and 0.95).</summary>
    [Setting(
        "Decay of the first and second moment; none for 0.9 and 0.95 (lion: 0.9 and 0.99; soap: 0.95 and 0.95).", Minimum = 0, Maximum = 1,
        Below = true, Count = 2)]
    public IReadOnlyList<double>? Betas { get; init; }

    /// <summary>What adamw and soap add to the root of the second moment; none for 1e-8.</summary>
    [Setting("What adamw and soap add to the root of the second moment; none for 1e-8.", Minimum = 0)]
    public double? Epsilon { get; init; }

    /// <summary>Momentum of sgd (none for 0.9) and muon (none for 0.95).</summary>
    [Setting("Momentum of sgd (none for 0.9) and muon (none for 0.95).", Minimum = 0, Maximum = 1, Below = true)]
    public double? Momentum { get; init; }

    /// <summary>Decay of soap's Gram matrices, whose eigenvectors are its bases; none for the second moment's.</summary>
    [Setting(
        "Decay of soap's Gram matrices, whose eigenvectors are its bases; none for the second moment's.", Minimum = 0, Maximum = 1,
        Below = true)]
    public double? ShampooBeta { get; init; }

    /// <summary>Steps after which soap brings its bases nearer to the eigenvectors; none for 10.</summary>
    [Setting("Steps after which soap brings its bases nearer to the eigenvectors; none for 10.", Minimum = 1)]
    public int? Refresh { get; init; }

    /// <summary>The longest side of a matrix that soap rotates: it keeps two square matrices of it; none for 10000.</summary>
    [Setting("The longest side of a matrix that soap rotates: it keeps two square matrices of it; none for 10000.", Minimum = 0)]
    public int? MaxDimension { get; init; }

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

    /// <summary>
    /// The norm that clip looks at. gradient: of the gradients; relative: of gradient times weight, element by element, which scalings that
    /// make equivalent models do not change.
    /// </summary>
    [Setting(
        "The norm that clip looks at. gradient: of the gradients; relative: of gradient times weight, element by element, which scalings "
        + "that make equivalent models do not change.")]
    public ClipNorm ClipNorm { get; init; } = ClipNorm.Gradient;

    /// <summary>The two decays, those that the optimizer has by default where none are set.</summary>
    public (double First, double Second) BetasOrDefault =>
        Betas is [var first, var second]
            ? (first, second)
            : (Name == OptimizerKind.Soap ? 0.95 : 0.9, Name == OptimizerKind.Lion ? 0.99 : 0.95);

    /// <summary>The epsilon, 1e-8 where none is set.</summary>
    public double EpsilonOrDefault => Epsilon ?? 1e-8;

    /// <summary>The momentum, the one that the optimizer has by default where none is set.</summary>
    public double MomentumOrDefault => Momentum ?? (Name == OptimizerKind.Muon ? 0.95 : 0.9);

    /// <summary>How often soap's bases change, 10 where nothing is set.</summary>
    public int RefreshOrDefault => Refresh ?? 10;

    /// <summary>The longest side that soap rotates, 10,000 where nothing is set.</summary>
    public int MaxDimensionOrDefault => MaxDimension ?? 10_000;

    /// <summary>The largest norm of the gradients; null for no clipping.</summary>
    public double? LargestNorm => Clip is > 0 ? Clip : null;

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
        if (Momentum is not null && Name is OptimizerKind.AdamW or OptimizerKind.Lion or OptimizerKind.Soap)
            given.Contradict(["momentum", "name"], "given, expected none: this optimizer has betas instead");
        foreach (
            var (key, value) in new (string, object?)[]
            {
                ("shampoo_beta", ShampooBeta),
                ("refresh", Refresh),
                ("max_dimension", MaxDimension),
            })
        {
            if (value is not null && Name != OptimizerKind.Soap)
                given.Contradict([key, "name"], "given, expected none: only soap has it");
        }

        if (Multipliers.Any(rule => rule.Epsilon != 1) && Name is OptimizerKind.Sgd or OptimizerKind.Lion)
            given.Contradict(["multipliers", "name"], "with an epsilon, expected none: this optimizer has no epsilon");
        return this;
    }
}
