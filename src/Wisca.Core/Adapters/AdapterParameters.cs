using System.Collections.Immutable;
using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>
/// Factors of a module's parameters (<c>target_parameters</c>). Which of them is which parameter's, only the base tells: PEFT nests one
/// wrapper for each, and stores no names.
/// </summary>
/// <param name="Module">The module's path in the model.</param>
/// <param name="Factors">A, [experts x r, inputs], and B, [outputs, r x experts], of each parameter, the innermost first: in the order that
/// the module has its parameters in.</param>
public sealed record AdapterParameters(string Module, ImmutableArray<(StoredTensor A, StoredTensor B)> Factors);
