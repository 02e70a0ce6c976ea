using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Wisca.Torch.Models;

/// <summary>
/// The same tensor, and a call when the backward pass comes through. Autograd runs what was computed last first, and adds up gradients of
/// parameters before anything else that is ready: by then all that was computed behind has its gradients.
/// </summary>
internal sealed class BackwardSignal : SingleTensorFunction<BackwardSignal>
{
    private int _layer;
    private Action<int>? _passed;

    public override string Name => nameof(BackwardSignal);

    /// <summary>The tensor, to compute a layer from.</summary>
    public static Tensor Before(Tensor x, int layer, Action<int> passed) => apply(x, layer, passed);

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        (_layer, _passed) = ((int)vars[1], (Action<int>)vars[2]);
        return ((Tensor)vars[0]).alias();
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output)
    {
        _passed!(_layer);
        return [grad_output.alias(), null!, null!];
    }
}
