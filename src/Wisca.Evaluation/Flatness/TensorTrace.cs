namespace Wisca.Evaluation.Flatness;

/// <summary>The trace of the Hessian's diagonal block of one tensor.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Elements">Its number of elements.</param>
/// <param name="Trace">The estimate.</param>
public sealed record TensorTrace(string Tensor, long Elements, TraceEstimate Trace);
