using System.Collections.Immutable;

namespace Wisca.Evaluation.Flatness;

/// <summary>The trace of the Hessian.</summary>
/// <param name="Whole">Over all parameters.</param>
/// <param name="Blocks">Of the diagonal block of each tensor, in the model's order, from the same probes.</param>
public sealed record ModelTrace(TraceEstimate Whole, ImmutableArray<TensorTrace> Blocks);
