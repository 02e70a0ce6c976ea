using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// ATen operators on lists of tensors, reached through TorchScript: one call for all parameters. A mistake in the source ends the process,
/// so the tests run every function. Functions return a tensor because TorchSharp cannot receive nothing.
/// </summary>
internal static class OptimizerKernels
{
    private const string Source = """
        def adamw_(weights: List[Tensor], grads: List[Tensor], first: List[Tensor], second: List[Tensor], steps: List[Tensor],
                   lr: float, beta1: float, beta2: float, decay: float, eps: float) -> Tensor:
            none: List[Tensor] = []
            torch._fused_adamw_(weights, grads, first, second, none, steps, lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, eps=eps,
                                amsgrad=False, maximize=False)
            return steps[0]

        def multiply_(tensors: List[Tensor], factor: float) -> Tensor:
            torch._foreach_mul_(tensors, factor)
            return tensors[0]

        def add_(tensors: List[Tensor], others: List[Tensor], factor: float) -> Tensor:
            torch._foreach_add_(tensors, others, alpha=factor)
            return tensors[0]

        def copy_(tensors: List[Tensor], others: List[Tensor]) -> Tensor:
            torch._foreach_copy_(tensors, others)
            return tensors[0]

        def added(tensors: List[Tensor], others: List[Tensor], factor: float) -> List[Tensor]:
            return torch._foreach_add(tensors, others, alpha=factor)

        def multiplied(tensors: List[Tensor], factor: float) -> List[Tensor]:
            return torch._foreach_mul(tensors, factor)

        def approach_(tensors: List[Tensor], others: List[Tensor], share: float) -> Tensor:
            torch._foreach_lerp_(tensors, others, share)
            return tensors[0]

        def sign_(tensors: List[Tensor]) -> Tensor:
            torch._foreach_sign_(tensors)
            return tensors[0]

        def norms(tensors: List[Tensor]) -> Tensor:
            return torch.stack(torch._foreach_norm(tensors, 2))

        """;

    private static readonly Lazy<jit.CompilationUnit> Unit = new(() => jit.compile(Source));

    /// <summary>
    /// AdamW on every weight, in place. All lists are parallel, all tensors contiguous, of one type and on one device; what is not is
    /// updated wrongly without a word. Steps are float32 scalars, 1 at the first step.
    /// </summary>
    public static void AdamW(
        Tensor[] weights, Tensor[] gradients, Tensor[] first, Tensor[] second, Tensor[] steps,
        double learningRate, double beta1, double beta2, double decay, double epsilon) =>
        Change("adamw_", weights, gradients, first, second, steps, learningRate, beta1, beta2, decay, epsilon);

    /// <summary>tensors *= factor.</summary>
    public static void Multiply(Tensor[] tensors, double factor) => Change("multiply_", tensors, factor);

    /// <summary>tensors += factor * others.</summary>
    public static void Add(Tensor[] tensors, Tensor[] others, double factor) => Change("add_", tensors, others, factor);

    /// <summary>tensors = others, rounded to the type of tensors.</summary>
    public static void Copy(Tensor[] tensors, Tensor[] others) => Change("copy_", tensors, others);

    /// <summary>tensors + factor * others.</summary>
    public static Tensor[] Added(Tensor[] tensors, Tensor[] others, double factor) => (Tensor[])Invoke("added", tensors, others, factor);

    /// <summary>factor * tensors.</summary>
    public static Tensor[] Multiplied(Tensor[] tensors, double factor) => (Tensor[])Invoke("multiplied", tensors, factor);

    /// <summary>tensors += share * (others - tensors): where the two are equal nothing changes, not even a bit.</summary>
    public static void Approach(Tensor[] tensors, Tensor[] others, double share) => Change("approach_", tensors, others, share);

    /// <summary>tensors = -1, 0 or 1.</summary>
    public static void Sign(Tensor[] tensors) => Change("sign_", [tensors]);

    /// <summary>The Euclidean norm of each tensor, [n]; the tensors are of one type and on one device.</summary>
    public static Tensor Norms(Tensor[] tensors) => (Tensor)Invoke("norms", [tensors]);

    private static void Change(string name, params object[] arguments) => ((Tensor)Invoke(name, arguments)).Dispose();

    private static object Invoke(string name, params object[] arguments) => Unit.Value.Call(name, arguments);
}
