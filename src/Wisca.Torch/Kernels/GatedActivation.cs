using System.Numerics;
using static TorchSharp.torch;

namespace Wisca.Torch.Kernels;

/// <summary>silu(gate) * up in one pass, and its gradients in one: float32 without gaps on the CPU. No second derivatives.</summary>
internal sealed class GatedActivation : autograd.SingleTensorFunction<GatedActivation>
{
    // Elements that a thread takes at a time: enough to be worth handing over.
    private const int Run = 1 << 15;

    /// <inheritdoc />
    public override string Name => nameof(GatedActivation);

    /// <summary>silu(gate) * up.</summary>
    public static Tensor Of(Tensor gate, Tensor up) => apply(gate, up);

    /// <inheritdoc />
    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor gate = (Tensor)vars[0], up = (Tensor)vars[1], product = empty_like(gate);
        float* g = TensorMemory.Of(gate), u = TensorMemory.Of(up), y = TensorMemory.Of(product);
        Workers.Run(checked((int)gate.numel()), Run, (begin, end) =>
        {
            int i = begin;
            for (; i + Vector<float>.Count <= end; i += Vector<float>.Count)
            {
                var x = Vector.Load(g + i);
                (x * VectorMath.Sigmoid(x) * Vector.Load(u + i)).Store(y + i);
            }

            for (; i < end; i++) y[i] = g[i] / (1 + MathF.Exp(-g[i])) * u[i];
        });
        ctx.save_for_backward([gate, up]);
        return product;
    }

    /// <inheritdoc />
    public override unsafe List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        using Tensor gate = saved[0], up = saved[1], given = grad_output, gradient = given.contiguous();
        Tensor gateGradient = empty_like(gate), upGradient = empty_like(up);
        float* g = TensorMemory.Of(gate), u = TensorMemory.Of(up), dy = TensorMemory.Of(gradient),
            dg = TensorMemory.Of(gateGradient), du = TensorMemory.Of(upGradient);
        Workers.Run(checked((int)gate.numel()), Run, (begin, end) =>
        {
            int i = begin;
            for (; i + Vector<float>.Count <= end; i += Vector<float>.Count)
            {
                Vector<float> x = Vector.Load(g + i), s = VectorMath.Sigmoid(x), d = Vector.Load(dy + i);
                (d * x * s).Store(du + i);
                (d * Vector.Load(u + i) * s * (Vector<float>.One + (x * (Vector<float>.One - s)))).Store(dg + i);
            }

            for (; i < end; i++)
            {
                float s = 1 / (1 + MathF.Exp(-g[i]));
                (du[i], dg[i]) = (dy[i] * g[i] * s, dy[i] * u[i] * s * (1 + (g[i] * (1 - s))));
            }
        });
        return ManagedGradients.Return(gateGradient, upGradient);
    }
}
