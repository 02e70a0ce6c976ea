using System.Globalization;

namespace Wisca.Training.Logging;

/// <summary>The names under which a run's metrics stand in metrics.jsonl and in TensorBoard.</summary>
public static class MetricNames
{
    /// <summary>The step of a record.</summary>
    public const string Step = "step";

    /// <summary>The time of a record, in seconds since 1970.</summary>
    public const string Time = "time";

    /// <summary>Number of parameters.</summary>
    public const string Parameters = "model/parameters";

    /// <summary>A digest of the weights before anything is done to them.</summary>
    public const string ModelDigest = "model/digest";

    /// <summary>A digest of the frozen model that an adapter is trained on.</summary>
    public const string BaseDigest = "model/base";

    /// <summary>Mean loss of a token since the last record, in nats.</summary>
    public const string TrainingLoss = "train/loss";

    /// <summary>The learning rate.</summary>
    public const string LearningRate = "train/learning_rate";

    /// <summary>Norm of the gradient before it is clipped.</summary>
    public const string GradientNorm = "train/gradient_norm";

    /// <summary>Number of tokens seen.</summary>
    public const string Tokens = "train/tokens";

    /// <summary>What a mixture's router adds to the loss.</summary>
    public const string AuxiliaryLoss = "train/auxiliary_loss";

    /// <summary>Tokens a second.</summary>
    public const string TokensPerSecond = "time/tokens_per_second";

    /// <summary>Share of the time that is not spent in steps.</summary>
    public const string OutsideShare = "time/outside_share";

    /// <summary>Share of the time of steps in which a process waited for the gradients of the others.</summary>
    public const string WaitingShare = "time/waiting_share";

    /// <summary>Seconds of an evaluation.</summary>
    public const string EvaluationSeconds = "time/evaluation_seconds";

    /// <summary>Seconds of a transition.</summary>
    public const string TransitionSeconds = "time/transition_seconds";

    /// <summary>Seconds of a balancing of the adapter.</summary>
    public const string BalanceSeconds = "time/balance_seconds";

    /// <summary>Mean loss of a held-out token, in nats.</summary>
    public const string ValidationLoss = "validation/loss";

    /// <summary>Perplexity of held-out tokens.</summary>
    public const string ValidationPerplexity = "validation/perplexity";

    /// <summary>Held-out loss of the average of the weights.</summary>
    public const string AverageLoss = "validation/average_loss";

    /// <summary>Mean loss of a test token, in nats.</summary>
    public const string TestLoss = "test/loss";

    /// <summary>Perplexity of test tokens.</summary>
    public const string TestPerplexity = "test/perplexity";

    /// <summary>The largest |log2| of a transition's factors.</summary>
    public const string LargestLog2 = "wisca/largest_log2";

    /// <summary>Number of groups that a transition scaled.</summary>
    public const string ScaledGroups = "wisca/scaled_groups";

    /// <summary>The groups of a transition, objects with the keys below.</summary>
    public const string Groups = "wisca/groups";

    /// <summary>Of a group: the layer.</summary>
    public const string GroupLayer = "layer";

    /// <summary>Of a group: the name of its kind of transition.</summary>
    public const string GroupTransition = "transition";

    /// <summary>Of a group: the factor on queries or values.</summary>
    public const string GroupFactor = "factor";

    /// <summary>Of a group: both norms before.</summary>
    public const string GroupNorms = "norms";

    /// <summary>Of a group: the kv head, where it is of one.</summary>
    public const string GroupKvHead = "kv_head";

    /// <summary>Of a group: the channel, where it is of one.</summary>
    public const string GroupChannel = "channel";

    /// <summary>Of a group: what is to be said of it.</summary>
    public const string GroupNote = "note";

    /// <summary>The loss on a fixed batch before a transition.</summary>
    public const string LossBefore = "wisca/loss_before";

    /// <summary>The loss on the same batch after it.</summary>
    public const string LossAfter = "wisca/loss_after";

    /// <summary>Quantity of a rotation (<see cref="OfRotation"/>): how far axes moved, in degrees.</summary>
    public const string RotationAngle = "angle";

    /// <summary>Quantity of a rotation: the share of the covariance's squared Frobenius norm on its diagonal, before.</summary>
    public const string DiagonalBefore = "diagonal_before";

    /// <summary>Quantity of a rotation: the same after.</summary>
    public const string DiagonalAfter = "diagonal_after";

    /// <summary>The spaces that a rotation left as they are, objects of name and reason.</summary>
    public const string SkippedSpaces = "rotation/skipped";

    /// <summary>Seconds of a rotation.</summary>
    public const string RotationSeconds = "time/rotation_seconds";

    /// <summary>The loss on a fixed batch before a rotation.</summary>
    public const string RotationLossBefore = "rotation/loss_before";

    /// <summary>The loss on the same batch after it.</summary>
    public const string RotationLossAfter = "rotation/loss_after";

    /// <summary>Number of heads' spaces that were balanced by a matrix.</summary>
    public const string BalancedHeads = "heads/balanced";

    /// <summary>Number of those that were left.</summary>
    public const string SkippedHeads = "heads/skipped";

    /// <summary>Number of those whose matrix was kept from stretching further.</summary>
    public const string ClippedHeads = "heads/clipped";

    /// <summary>How far the two sides of heads were from balance, 0 to 1, a mean.</summary>
    public const string ImbalanceBefore = "heads/imbalance_before";

    /// <summary>The same after it.</summary>
    public const string ImbalanceAfter = "heads/imbalance_after";

    /// <summary>The loss on a fixed batch before heads were balanced.</summary>
    public const string HeadsLossBefore = "heads/loss_before";

    /// <summary>The loss on the same batch after it.</summary>
    public const string HeadsLossAfter = "heads/loss_after";

    /// <summary>Seconds of a balancing of heads.</summary>
    public const string HeadsSeconds = "time/heads_seconds";

    /// <summary>Number of an adapter's modules that were balanced.</summary>
    public const string BalancedModules = "adapter/balanced";

    /// <summary>Number of modules that were left.</summary>
    public const string SkippedModules = "adapter/skipped";

    /// <summary>Number of modules whose factor was clamped.</summary>
    public const string ClampedModules = "adapter/clamped";

    /// <summary>Geometric mean of the modules' factors.</summary>
    public const string MeanFactor = "adapter/mean_factor";

    /// <summary>The least of them.</summary>
    public const string LeastFactor = "adapter/least_factor";

    /// <summary>The greatest of them.</summary>
    public const string GreatestFactor = "adapter/greatest_factor";

    /// <summary>What a sample begins with.</summary>
    public const string SamplePrompt = "sample/prompt";

    /// <summary>How the model went on.</summary>
    public const string SampleText = "sample/text";

    /// <summary>Quantity of a layer (<see cref="OfLayer"/>): log2 of the ratio of a pair's norms.</summary>
    public const string Imbalance = "imbalance";

    /// <summary>Quantity of a layer (<see cref="OfLayer"/>): the norm of a projection.</summary>
    public const string Norm = "norm";

    private const string Layer = "layer";

    /// <summary>The name of a quantity of the rotations of one kind of space, a mean over them: <c>rotation/stream/angle</c>.</summary>
    /// <param name="kind">The kind's name.</param>
    /// <param name="quantity"><see cref="RotationAngle"/> and the like.</param>
    public static string OfRotation(string kind, string quantity) => $"rotation/{kind}/{quantity}";

    /// <summary>Takes the name of a quantity of rotations apart; null for another metric.</summary>
    /// <param name="metric">The name.</param>
    public static (string Kind, string Quantity)? FindRotation(string metric)
    {
        ArgumentNullException.ThrowIfNull(metric);
        return metric.Split('/') is ["rotation", var kind, (RotationAngle or DiagonalBefore or DiagonalAfter) and var quantity]
            ? (kind, quantity)
            : null;
    }

    /// <summary>The name of a quantity of one layer: <c>imbalance/qk/layer3</c>.</summary>
    /// <param name="quantity"><see cref="Imbalance"/> or <see cref="Norm"/>.</param>
    /// <param name="name">The pair or the projection.</param>
    /// <param name="layer">The layer.</param>
    public static string OfLayer(string quantity, string name, int layer) =>
        string.Create(CultureInfo.InvariantCulture, $"{quantity}/{name}/{Layer}{layer}");

    /// <summary>Takes the name of a quantity of one layer apart; null for another metric.</summary>
    /// <param name="metric">The name.</param>
    public static (string Quantity, string Name, int Layer)? FindLayer(string metric)
    {
        ArgumentNullException.ThrowIfNull(metric);
        return metric.Split('/') is [(Imbalance or Norm) and var quantity, var name, var layer]
            && layer.StartsWith(Layer, StringComparison.Ordinal)
            && int.TryParse(layer.AsSpan(Layer.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            ? (quantity, name, index)
            : null;
    }
}
