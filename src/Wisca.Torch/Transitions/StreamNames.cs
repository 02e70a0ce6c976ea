namespace Wisca.Torch.Transitions;

/// <summary>
/// What reads and writes the residual stream of a model of one's own, by the names of its modules, in which <c>*</c> stands for the number
/// of the layer, as in <c>blocks.*.attention.output</c>. Weights are <c>[out, in]</c>, as <c>Linear</c> has them; biases are found by
/// themselves.
/// </summary>
/// <param name="Embeddings">Tables whose rows are written into the stream, [entries, hidden]: of tokens, of positions.</param>
/// <param name="Writers">Projections into the stream, [hidden, any].</param>
/// <param name="Norms">The norms on the stream, each with all that reads behind it.</param>
public sealed record StreamNames(IReadOnlyList<string> Embeddings, IReadOnlyList<string> Writers, IReadOnlyList<StreamNorm> Norms)
{
    /// <summary>Projections that read the stream without a norm, [any, hidden].</summary>
    public IReadOnlyList<string> Readers { get; init; } = [];

    /// <summary>
    /// Modules that do not lie in the stream although one of their axes is as long: a weight that neither this nor any other list names is
    /// an error, because one that was forgotten would change the function.
    /// </summary>
    public IReadOnlyList<string> Others { get; init; } = [];
}
