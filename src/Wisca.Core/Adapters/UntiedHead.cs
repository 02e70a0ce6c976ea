using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>
/// An output projection that is no longer the embedding once the adapter is merged: the adapter changes one of the two and not the other,
/// or each in its own way.
/// </summary>
/// <param name="Name">The name of its tensor in the merged model.</param>
/// <param name="Embedding">The base's matrix, which it starts from.</param>
/// <param name="Stored">Where the base stores it a second time; null where it does not.</param>
public sealed record UntiedHead(string Name, StoredTensor Embedding, StoredTensor? Stored)
{
    /// <summary>Its factors; null without.</summary>
    public BoundModule? Module { get; init; }

    /// <summary>What the adapter stores in its place; null for the base's matrix.</summary>
    public StoredTensor? Replacement { get; init; }

    /// <summary>Its own rows for some tokens; null without.</summary>
    public AdapterTokens? Tokens { get; init; }

    /// <summary>What makes it from the embedding.</summary>
    internal TensorEdit Edit =>
        Module is not null ? new MergeEdit(Module)
        : Tokens is not null ? new TokenEdit(Tokens, Replacement)
        : Replacement is not null ? new ReplaceEdit(Replacement)
        : new CopyEdit();
}
