using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// A loss as a function of its parameters, twice differentiable. Vectors are flat: all parameters behind each other, [dimension], in their
/// own element type. Results belong to the dispose scope that is open at the call.
/// </summary>
public interface IObjective
{
    /// <summary>The parameters. Whoever changes their values changes the point at which everything here is computed.</summary>
    ParameterSpace Parameters { get; }

    /// <summary>The loss at the parameters' present values; not finite where the function is not.</summary>
    double Loss(CancellationToken cancellation = default);

    /// <summary>The gradient, [dimension].</summary>
    /// <exception cref="WiscaException">It is not finite.</exception>
    Tensor Gradient(CancellationToken cancellation = default);

    /// <summary>The product of the Hessian and a vector, [dimension].</summary>
    /// <param name="vector">The vector, [dimension].</param>
    /// <param name="only">
    /// The tensors whose rows and columns count; the vector must be zero in all others, and so is the result. Null for all. It saves time.
    /// </param>
    /// <param name="cancellation">Looked at between the parts of the work.</param>
    /// <exception cref="WiscaException">It is not finite.</exception>
    Tensor HessianVectorProduct(Tensor vector, IReadOnlySet<string>? only = null, CancellationToken cancellation = default);
}
