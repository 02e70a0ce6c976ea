using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// A matrix that many tensors are multiplied by along an axis, in the types in which that is computed. What it keeps belongs to the dispose
/// scope in which it was asked for first.
/// </summary>
/// <param name="matrix">M, in float64: T'[.., start + j, ..] = sum over i of T[.., start + i, ..] M[i, j].</param>
internal sealed class TurnMatrix(Tensor matrix)
{
    // Of the columns of M - I the mean square length.
    private const double Near = 0.25;

    private readonly Lazy<Tensor> _single = new(() => matrix.to(ScalarType.Float32));
    private readonly Lazy<Tensor> _beside = new(() => Beside(matrix).to(ScalarType.Float32));
    private readonly Lazy<bool> _isNear = new(() => Beside(matrix).Squared().sum().AsDouble() <= Near * matrix.shape[0]);

    /// <summary>M in float64.</summary>
    public Tensor Wide => matrix;

    /// <summary>Makes now what <see cref="TurnOnce"/> needs, for use in scopes within this one.</summary>
    public TurnMatrix Prepared()
    {
        _ = _single.Value;
        return this;
    }

    /// <summary>
    /// Turns a weight, rounded once. A float32 weight becomes W + W (M - I) where M is near to the identity: what a product in single
    /// precision loses is small by as much as M - I is, and float64 takes twice the time.
    /// </summary>
    public void TurnWeight(Tensor target, int axis, int start)
    {
        if (target.dtype == ScalarType.Float32 && _isNear.Value) Multiply(target, axis, start, _beside.Value, adds: true);
        else Multiply(target, axis, start, matrix, adds: false);
    }

    /// <summary>Turns what is gathered from gradients, or a weight from where it was at first: float64 as such, else in float32.</summary>
    public void TurnOnce(Tensor target, int axis, int start) =>
        Multiply(target, axis, start, target.dtype == ScalarType.Float64 ? matrix : _single.Value, adds: false);

    private static void Multiply(Tensor target, int axis, int start, Tensor by, bool adds)
    {
        using var scope = NewDisposeScope();
        var part = target.detach().narrow(axis, start, by.shape[0]);
        var values = part.dtype == by.dtype ? part : part.to(by.dtype);

        // Of a matrix no copy is made to be multiplied from the left.
        var product = axis == 0 && part.dim() == 2
            ? by.transpose(0, 1).matmul(values)
            : values.transpose(axis, -1).matmul(by).transpose(axis, -1);
        if (adds) part.Plus_(product);
        else part.copy_(product);
    }

    private static Tensor Beside(Tensor matrix) =>
        eye(matrix.shape[0], dtype: matrix.dtype, device: matrix.device).neg_().Plus_(matrix);
}
