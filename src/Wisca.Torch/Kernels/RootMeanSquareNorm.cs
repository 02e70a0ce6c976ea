using System.Numerics;
using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Wisca.Torch.Kernels;

/// <summary>
/// x / sqrt(mean x^2 + epsilon) times a gain, in one pass over each row, and its gradients in another: float32 without gaps on the CPU.
/// No second derivatives.
/// </summary>
internal sealed class RootMeanSquareNorm : autograd.SingleTensorFunction<RootMeanSquareNorm>
{
    // Rows that a thread takes at a time. Gradients of the gain are summed in these runs, whatever the number of threads.
    private const int Run = 128;

    /// <inheritdoc />
    public override string Name => nameof(RootMeanSquareNorm);

    /// <summary>True where rows of so many channels are normalised here.</summary>
    public static bool Takes(long width) => Vector.IsHardwareAccelerated && width % Vector<float>.Count == 0;

    /// <summary>The last axis of <paramref name="x"/> normalised.</summary>
    /// <param name="x">[..., channels].</param>
    /// <param name="gain">[channels].</param>
    /// <param name="epsilon">What is added to the mean square.</param>
    /// <param name="offset">What is added to the gain: 0, or 1 where it is stored less one.</param>
    public static Tensor Of(Tensor x, Tensor gain, double epsilon, float offset) => apply(x, gain, epsilon, offset);

    /// <inheritdoc />
    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor x = (Tensor)vars[0], gain = (Tensor)vars[1], normal = empty_like(x);
        float epsilon = (float)(double)vars[2], offset = (float)vars[3];
        int width = (int)gain.shape[0], rows = (int)(x.numel() / width);
        var inverses = empty(rows);
        float* from = TensorMemory.Of(x), w = TensorMemory.Of(gain), to = TensorMemory.Of(normal), inverse = TensorMemory.Of(inverses);
        Workers.Run(rows, Run, (begin, end) =>
        {
            for (int row = begin; row < end; row++)
                inverse[row] = Normalise(from + ((nint)row * width), w, to + ((nint)row * width), width, epsilon, offset);
        });
        ctx.save_data(nameof(offset), offset);
        ctx.save_for_backward([x, gain, inverses]);
        return normal;
    }

    /// <inheritdoc />
    public override unsafe List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        using Tensor x = saved[0], gain = saved[1], inverses = saved[2], given = grad_output, gradient = given.contiguous();
        float offset = (float)ctx.get_data(nameof(offset));
        int width = (int)gain.shape[0], rows = (int)(x.numel() / width), runs = (rows + Run - 1) / Run;
        Tensor inputGradient = empty_like(x), gainGradient = empty_like(gain);
        using var parts = zeros(runs, width);
        float* from = TensorMemory.Of(x), w = TensorMemory.Of(gain), inverse = TensorMemory.Of(inverses), dy = TensorMemory.Of(gradient),
            dx = TensorMemory.Of(inputGradient), part = TensorMemory.Of(parts), dw = TensorMemory.Of(gainGradient);
        Workers.Run(rows, Run, (begin, end) =>
        {
            float* sums = part + ((nint)(begin / Run) * width);
            for (nint row = begin; row < end; row++)
                Differentiate(from + (row * width), w, dy + (row * width), dx + (row * width), sums, width, inverse[row], offset);
        });
        new Span<float>(dw, width).Clear();
        for (int run = 0; run < runs; run++)
        {
            for (int c = 0; c < width; c += Vector<float>.Count)
                (Vector.Load(dw + c) + Vector.Load(part + ((nint)run * width) + c)).Store(dw + c);
        }

        return ManagedGradients.Return(inputGradient, gainGradient, null, null);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe float Normalise(float* from, float* gain, float* to, int width, float epsilon, float offset)
    {
        var squares = Vector<float>.Zero;
        for (int c = 0; c < width; c += Vector<float>.Count)
        {
            var x = Vector.Load(from + c);
            squares = Vector.FusedMultiplyAdd(x, x, squares);
        }

        float inverse = 1 / MathF.Sqrt((Vector.Sum(squares) / width) + epsilon);
        var added = new Vector<float>(offset);
        for (int c = 0; c < width; c += Vector<float>.Count)
            (Vector.Load(from + c) * inverse * (Vector.Load(gain + c) + added)).Store(to + c);
        return inverse;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void Differentiate(
        float* from, float* gain, float* dy, float* dx, float* dw, int width, float inverse, float offset)
    {
        var products = Vector<float>.Zero;
        var added = new Vector<float>(offset);
        for (int c = 0; c < width; c += Vector<float>.Count)
        {
            Vector<float> normal = Vector.Load(from + c) * inverse, d = Vector.Load(dy + c);
            Vector.FusedMultiplyAdd(d, normal, Vector.Load(dw + c)).Store(dw + c);
            products = Vector.FusedMultiplyAdd(d * (Vector.Load(gain + c) + added), normal, products);
        }

        float mean = Vector.Sum(products) / width;
        for (int c = 0; c < width; c += Vector<float>.Count)
        {
            var normal = Vector.Load(from + c) * inverse;
            (((Vector.Load(dy + c) * (Vector.Load(gain + c) + added)) - (normal * mean)) * inverse).Store(dx + c);
        }
    }
}
