using Wisca.Adapters;
using Wisca.Certificates;
using Wisca.Checkpoints;

namespace Wisca.Commands.Verbs;

/// <summary>Runs models, for the verbs that compare logits. It needs libtorch, which not every build of the program has.</summary>
public interface IModelRunner
{
    /// <summary>Takes out of a base what an adapter's factors started from.</summary>
    IBaseDecomposition Decomposition { get; }

    /// <summary>Why a model cannot be run; null where it can.</summary>
    /// <param name="model">The model.</param>
    string? Obstacle(Checkpoint model);

    /// <summary>A text as ids, by the tokenizer in a model's folder.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text.</param>
    /// <exception cref="WiscaException">The folder has no tokenizer that can be read.</exception>
    int[] Encode(Checkpoint model, string text);

    /// <summary>Ids drawn evenly from a model's vocabulary.</summary>
    /// <param name="model">The model.</param>
    /// <param name="count">How many.</param>
    /// <param name="seed">Which of the sequences.</param>
    int[] RandomTokens(Checkpoint model, int count, ulong seed);

    /// <summary>Runs two models on the same tokens.</summary>
    /// <param name="a">One model.</param>
    /// <param name="b">The other.</param>
    /// <param name="tokens">The tokens, at least two.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="WiscaException">The models cannot be compared.</exception>
    ForwardProofReport Compare(
        Checkpoint a, Checkpoint b, int[] tokens, ModelRunOptions options, IProgress<double> progress, CancellationToken cancellation);
}
