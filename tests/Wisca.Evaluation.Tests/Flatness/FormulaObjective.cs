using Wisca.Evaluation.Flatness;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

/// <summary>A loss that is written down as a formula of float64 tensors p0, p1, ...</summary>
internal sealed class FormulaObjective : AutogradObjective
{
    private readonly Func<IReadOnlyList<Tensor>, Tensor> _formula;

    public FormulaObjective(Func<IReadOnlyList<Tensor>, Tensor> formula, params Tensor[] parameters)
        : base(new ParameterSpace(parameters.Select((parameter, index) => ($"p{index}", parameter.requires_grad_()))))
    {
        _formula = formula;
    }

    /// <summary>x^T A x / 2, whose Hessian is A.</summary>
    public static FormulaObjective Quadratic(Tensor matrix, Tensor at) => new(p => p[0].dot(matrix.mv(p[0])) / 2, at);

    /// <summary>A symmetric matrix with the given eigenvalues, and axes that a seed turns.</summary>
    public static Tensor Symmetric(double[] eigenvalues, long seed = 1)
    {
        var axes = linalg.qr(Normal(seed, eigenvalues.Length, eigenvalues.Length)).Q;
        return axes.matmul(diag(tensor(eigenvalues))).matmul(axes.t());
    }

    public static Tensor Normal(long seed, params long[] shape)
    {
        using var generator = new Generator((ulong)seed);
        return randn(shape, ScalarType.Float64, generator: generator);
    }

    protected override Tensor LossOf(int first, int count) => _formula(Parameters.Tensors);
}
