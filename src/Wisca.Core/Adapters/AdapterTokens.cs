using System.Collections.Immutable;
using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>Rows of an embedding that an adapter has its own of (<c>trainable_token_indices</c>).</summary>
/// <param name="Module">The embedding's path in the model.</param>
/// <param name="Ids">Which rows.</param>
/// <param name="Rows">What stands in their place, [ids, width].</param>
public sealed record AdapterTokens(string Module, ImmutableArray<int> Ids, StoredTensor Rows);
