using Wisca.Adapters;
using static TorchSharp.torch;

namespace Wisca.Torch.Lora;

/// <summary>
/// What PEFT takes out of a base, by the same routines of LAPACK in the same precision and order. On a machine of the kind that an adapter
/// was trained on, what is left is the same to the bit; on another it differs by the rounding of a float32 decomposition, as in PEFT.
/// </summary>
public sealed class PeftDecomposition : IBaseDecomposition
{
    /// <inheritdoc />
    /// <exception cref="WiscaException">libtorch does not load.</exception>
    public float[] Rest(float[] matrix, int outputs, int inputs, int rank, double scale, LoraInitialization start)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        TorchRuntime.Require();
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var weight = tensor(matrix, [outputs, inputs]);
        Tensor a, b;
        if (start == LoraInitialization.Pissa)
        {
            var (u, s, vt) = linalg.svd(weight, false);
            var root = diag(s.narrow(0, 0, rank).Over(scale).sqrt());
            (a, b) = (root.matmul(vt.narrow(0, 0, rank)), u.narrow(1, 0, rank).matmul(root));
        }
        else
        {
            var (q, r) = linalg.qr(weight);
            (a, b) = (r.narrow(0, 0, rank), q.narrow(1, 0, rank));
        }

        return (weight - b.Times(scale).matmul(a)).contiguous().data<float>().ToArray();
    }
}
