using TorchSharp;
using Wisca.Torch.Optimizers;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// What a change of a parameter along one of its axes does to a tensor that is kept beside it. Where the parameter becomes A W, its copies
/// do too, and its gradient g becomes A^-T g; call M what comes in front of either, and d the degree without its sign.
/// <list type="bullet">
/// <item>An axis that follows the parameter's gets M, and elementwise M^d where it is the only one: a momentum and a Gram matrix, which
/// has two such axes, follow exactly; squares of elements do for factors, and for other M where the elements are uncorrelated.</item>
/// <item>An axis whose indices are coordinates in a basis Q gets (Q^T M Q)^d elementwise, exact where the coordinates are uncorrelated, as
/// they are in eigenvectors. The basis stays what it is (its keeper brings it nearer to the new eigenvectors in time), but for a rotation:
/// that turns the basis, and so leaves the coordinates alone.</item>
/// <item>A tensor that has summed over the axis gets the mean of the squares of M's columns' lengths.</item>
/// </list>
/// One factor for the whole parameter is s^Degree, exact for all state.
/// </summary>
internal static class StateTransport
{
    /// <summary>Follows a parameter whose rows and columns were multiplied by factors.</summary>
    public static void Scale(StateTensor state, AxisFactors factors)
    {
        if (state.Degree == 0) return;
        if (factors.AddsOne && state.Degree > 0)
        {
            // A copy of a gain of which 1 is not stored.
            state.Tensor.copy_((state.Tensor.to(ScalarType.Float64).Plus(1) * tensor(factors.Rows!, device: state.Tensor.device)).Plus(-1));
            return;
        }

        if (factors.Uniform is { } uniform) Multiply(state.Tensor, [Power(uniform, state.Degree)], null);
        else if (state.IsElementwise)
            Multiply(state.Tensor, Powers(factors.Rows, state.Degree), Powers(factors.Columns, state.Degree));
        else
        {
            if (factors.Rows is { } rows) Scale(state, 0, rows);
            if (factors.Columns is { } columns) Scale(state, 1, columns);
        }
    }

    private static void Scale(StateTensor state, int axis, double[] factors)
    {
        if (Array.TrueForAll(factors, factor => factor == factors[0]))
        {
            Multiply(state.Tensor, [Power(factors[0], state.Degree)], null);
            return;
        }

        int[] follow = state.AxesAlong(axis);
        if (follow.Length > 0)
        {
            double[] powers = Powers(factors, state.Degree / follow.Length)!;
            foreach (int own in follow) MultiplyAlong(state.Tensor, own, powers);
            return;
        }

        Transform(state, axis, diag(tensor(Powers(factors, Math.Sign(state.Degree))!, device: state.Tensor.device)));
    }

    internal static double[]? Powers(double[]? factors, int degree) =>
        factors is null ? null : Array.ConvertAll(factors, factor => Power(factor, degree));

    /// <summary>Follows a parameter that was mixed along an axis by a symmetric matrix.</summary>
    public static void Mix(StateTensor state, int axis, double[,] matrix, double[,] inverse)
    {
        if (state.Degree != 0) Transform(state, axis, tensor(state.Degree > 0 ? matrix : inverse, device: state.Tensor.device));
    }

    /// <summary>Follows a parameter of which some indices along an axis were mixed by a symmetric matrix.</summary>
    /// <param name="state">The state, of any layout.</param>
    /// <param name="axis">The parameter's axis.</param>
    /// <param name="start">The first index.</param>
    /// <param name="length">The parameter's length along the axis.</param>
    /// <param name="matrix">What comes in front of the state: for what was gathered from gradients, the inverse of the weight's.</param>
    public static void MixPart(StateTensor state, int axis, long start, long length, Tensor matrix)
    {
        var whole = eye(length, dtype: ScalarType.Float64, device: matrix.device);
        whole.narrow(0, start, matrix.shape[0]).narrow(1, start, matrix.shape[0]).copy_(matrix);
        Transform(state, axis, whole);
    }

    /// <summary>
    /// Follows a parameter whose indices from a start along an axis were rotated:
    /// W'[.., start + j] = sum over i of W[.., start + i] R[i, j].
    /// </summary>
    /// <param name="state">The state, or the parameter itself with degree 1.</param>
    /// <param name="axis">The parameter's axis.</param>
    /// <param name="start">The first index.</param>
    /// <param name="rotation">R, orthogonal, in float64 and on the state's device.</param>
    /// <returns>False, with nothing changed, where there is no exact rule: squares of single elements along this axis.</returns>
    public static bool TryRotate(StateTensor state, int axis, long start, Tensor rotation)
    {
        int[] follow = state.AxesAlong(axis);
        if (follow.Length > 0 && Math.Abs(state.Degree) > follow.Length) return false;
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        foreach (int own in follow)
        {
            var slice = state.Tensor.detach().narrow(own, start, rotation.shape[0]);
            slice.copy_(Along(slice, own, rotation.t()));
        }

        return true;
    }

    private static void Transform(StateTensor state, int axis, Tensor matrix)
    {
        int degree = Math.Abs(state.Degree);
        int[] follow = state.AxesAlong(axis);
        foreach (int own in follow) state.Tensor.copy_(Along(state.Tensor, own, ToThe(matrix, degree / follow.Length)));
        if (follow.Length > 0) return;
        int turned = state.Axes.ToList().FindIndex(other => other.Parameter == axis);
        if (turned < 0)
        {
            Multiply(state.Tensor, [Math.Pow(matrix.Squared().sum().AsDouble() / matrix.shape[0], degree / 2.0)], null);
            return;
        }

        var basis = state.Axes[turned].Basis!.to(ScalarType.Float64);
        state.Tensor.copy_(Along(state.Tensor, turned, ToThe(basis.t().matmul(matrix).matmul(basis), degree)));
    }

    /// <summary>T'[.., i, ..] = sum over k of M[i, k] T[.., k, ..], in float64.</summary>
    private static Tensor Along(Tensor target, int axis, Tensor matrix) =>
        target.detach().to(ScalarType.Float64).transpose(axis, -1).matmul(matrix.t()).transpose(axis, -1);

    private static Tensor ToThe(Tensor matrix, int power)
    {
        if (power == 1) return matrix;
        using var exponent = power.ToScalar();
        return matrix.pow(exponent);
    }

    /// <summary>Rows and columns at once, a stack as one matrix below the other: exact where all factors are powers of two, and rounded
    /// once else.</summary>
    private static void Multiply(Tensor target, double[]? rows, double[]? columns)
    {
        if (target.dim() <= 1 || (rows?.Length == 1 && columns is null))
        {
            MultiplyAlong(target, 0, rows ?? columns!);
            return;
        }

        long width = target.shape[^1];
        var byRow = rows is null ? null : tensor(rows, device: target.device).unsqueeze(1);
        var byColumn = columns is null ? null : tensor(columns, device: target.device).reshape(-1, 1, width)
            .expand(-1, target.numel() / columns.Length, -1).reshape(-1, width);
        if ((rows is null || Array.TrueForAll(rows, double.IsPow2)) && (columns is null || Array.TrueForAll(columns, double.IsPow2)))
        {
            // A view: parameters are contiguous.
            var flat = target.view(-1, width);
            if (byRow is not null) flat.mul_(byRow.to(target.dtype));
            if (byColumn is not null) flat.mul_(byColumn.to(target.dtype));
            return;
        }

        var wide = target.to(ScalarType.Float64).reshape(-1, width);
        var factor = byRow is null ? byColumn! : byColumn is null ? byRow : byRow * byColumn;
        target.copy_((wide * factor).reshape(target.shape));
    }

    private static void MultiplyAlong(Tensor target, int axis, double[] factors)
    {
        var multiplier = tensor(factors, device: target.device);
        if (target.dim() > 0)
        {
            long[] shape = new long[target.dim()];
            Array.Fill(shape, 1);
            shape[axis] = factors.Length;
            multiplier = multiplier.reshape(shape);
        }

        if (Array.TrueForAll(factors, double.IsPow2)) target.mul_(multiplier.to(target.dtype));
        else target.copy_(target.to(ScalarType.Float64).mul_(multiplier));
    }

    internal static double Power(double factor, int degree) => degree switch
    {
        1 => factor,
        -1 => 1 / factor,
        -2 => 1 / (factor * factor),
        _ => Math.Pow(factor, degree),
    };
}
