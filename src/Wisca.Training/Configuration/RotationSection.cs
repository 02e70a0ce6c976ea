using Wisca.Rotations;
using Wisca.Settings;
using Wisca.Torch.Lora;
using Wisca.Torch.Transitions;

namespace Wisca.Training.Configuration;

/// <summary>Rotations while a model trains.</summary>
public sealed record RotationSection : ISettingsSection
{
    /// <summary>
    /// What decides the basis of the residual stream, in fine-tuning that of the frozen base: gradient and momentum make the covariance of
    /// gradients diagonal, from their average or from the optimizer's momenta; weights makes that of the weights so; hadamard spreads what
    /// lies in one channel over all; random and identity are controls; none for no rotation.
    /// </summary>
    [Setting(
        "What decides the basis of the residual stream, in fine-tuning that of the frozen base: gradient and momentum make the covariance "
        + "of gradients diagonal, from their average or from the optimizer's momenta; weights makes that of the weights so; hadamard "
        + "spreads what lies in one channel over all; random and identity are controls; none for no rotation.")]
    public RotationSource? Stream { get; init; }

    /// <summary>Whether the values of each kv head are rotated too: the same way, or none.</summary>
    [Setting("Whether the values of each kv head are rotated too: the same way, or none.")]
    public ValueRotation? Values { get; init; }

    /// <summary>In fine-tuning: what decides the basis of each module's ranks, between A and B, the values as for stream.</summary>
    [Setting("In fine-tuning: what decides the basis of each module's ranks, between A and B, the values as for stream.")]
    public RotationSource? Adapters { get; init; }

    /// <summary>What goes into the covariance: inner leaves embeddings and the output projection out.</summary>
    [Setting("What goes into the covariance: inner leaves embeddings and the output projection out.")]
    public CovarianceExtent From { get; init; } = CovarianceExtent.All;

    /// <summary>What becomes of the gains of norms: follow mixes their squares with the channels, fold makes them one.</summary>
    [Setting("What becomes of the gains of norms: follow mixes their squares with the channels, fold makes them one.")]
    public GainPolicy Gains { get; init; } = GainPolicy.Follow;

    /// <summary>A rotation every so many steps.</summary>
    [Setting("A rotation every so many steps.", Minimum = 1)]
    public int Every { get; init; } = 5;

    /// <summary>The step after which the first rotation comes.</summary>
    [Setting("The step after which the first rotation comes.", Minimum = 1)]
    public int Start { get; init; } = 5;

    /// <summary>The last step with a rotation; none for the last of the run.</summary>
    [Setting("The last step with a rotation; none for the last of the run.", Minimum = 1)]
    public int? Until { get; init; }

    /// <summary>
    /// What becomes of the optimizer's second moments: keep leaves them where they are, mix mixes them by the squares of the rotation,
    /// reset clears all state of rotated tensors. Momenta follow exactly with the first two.
    /// </summary>
    [Setting(
        "What becomes of the optimizer's second moments: keep leaves them where they are, mix mixes them by the squares of the rotation, "
        + "reset clears all state of rotated tensors. Momenta follow exactly with the first two.")]
    public SecondMomentPolicy State { get; init; } = SecondMomentPolicy.Keep;

    /// <summary>What random rotations depend on; none for the run's seed.</summary>
    [Setting("What random rotations depend on; none for the run's seed.", Minimum = 0)]
    public long? Seed { get; init; }

    /// <summary>With gradient: how much of the averaged covariance a step keeps.</summary>
    [Setting("With gradient: how much of the averaged covariance a step keeps.", Minimum = 0, Maximum = 1, Below = true)]
    public double Average { get; init; } = 0.95;

    /// <summary>
    /// How the basis is looked for: iteration takes one step of orthogonal iteration (QR), which moves no axis further than the covariance
    /// is from diagonal; eigenvectors makes it diagonal at once.
    /// </summary>
    [Setting(
        "How the basis is looked for: iteration takes one step of orthogonal iteration (QR), which moves no axis further than the "
        + "covariance is from diagonal; eigenvectors makes it diagonal at once.")]
    public BasisSearch Search { get; init; } = BasisSearch.Iteration;

    /// <summary>How far a rotation goes towards the basis: the orthogonal matrix nearest to (1 - fraction) I + fraction R.</summary>
    [Setting(
        "How far a rotation goes towards the basis: the orthogonal matrix nearest to (1 - fraction) I + fraction R.",
        Minimum = 0, Maximum = 1, Above = true)]
    public double Fraction { get; init; } = 1;

    /// <summary>True where there is anything to do.</summary>
    public bool IsActive => Source is not null;

    /// <summary>What decides the basis of whatever is rotated; null where nothing is.</summary>
    public RotationSource? Source => Stream ?? Adapters;

    /// <summary>The same for a scheduler of rotations.</summary>
    /// <param name="seed">The run's seed.</param>
    public RotationOptions Options(long seed) => new()
    {
        Source = Source ?? RotationSource.Identity,
        Stream = Stream is not null,
        Values = Values is not null,
        Adapters = Adapters is not null,
        AdapterSource = Adapters,
        InnerOnly = From == CovarianceExtent.Inner,
        Gains = Gains,
        State = State,
        Every = Every,
        Start = Start,
        Until = Until,
        Seed = (ulong)(Seed ?? seed),
        Average = Average,
        Search = Search,
        Fraction = Fraction,
    };

    /// <summary>What a run may rotate: the ranks of its adapter, and where the stream is asked for, the base.</summary>
    internal RotationPlan PlanFor(LoraModel lora)
    {
        var ranks = lora.RotationPlan();
        if (Stream is null) return ranks;
        var whole = lora.BaseRotationPlan();
        return whole with { Spaces = [.. whole.Spaces, .. ranks.Spaces] };
    }

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Stream is null && Values is not null)
            given.Contradict(["values", "stream"], "the same as none, expected a stream that says what decides the basis");
        if (Until is { } until && until < Start)
            given.Contradict(["until", "start"], $"step {until}, expected at least {Start}, where rotations start");
        return this;
    }
}
