using TorchSharp.Modules;
using Wisca.Torch.Kernels;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>One feed-forward layer, gated or plain.</summary>
internal sealed class FeedForward : IFeedForward
{
    private readonly Activation _activation;
    private readonly DenseLayer? _gateUp, _gate, _up;
    private readonly DenseLayer _down;

    /// <summary>Creates it.</summary>
    /// <param name="tree">Where its modules go.</param>
    /// <param name="path">Their path, with the dot behind it where it is not empty.</param>
    /// <param name="config">The model.</param>
    /// <param name="inner">Width of the inner layer.</param>
    public FeedForward(ModuleTree tree, string path, DecoderConfig config, int inner)
    {
        var (_, activation, bias) = config.FeedForward;
        var orientation = config.Attention.Orientation;
        _activation = activation;
        if (config.Names.FusedGateUp is { } fused)
        {
            _gateUp = tree.Dense(path + fused, config.HiddenSize, 2 * inner, bias, orientation);
        }
        else
        {
            if (config.Names.Gate is { } gate) _gate = tree.Dense(path + gate, config.HiddenSize, inner, bias, orientation);
            _up = tree.Dense(path + config.Names.Up, config.HiddenSize, inner, bias, orientation);
        }

        _down = tree.Dense(path + config.Names.Down, inner, config.HiddenSize, bias, orientation);
    }

    public Tensor Forward(Tensor x, ForwardPass pass)
    {
        if (_gateUp is not null)
        {
            var parts = _gateUp.forward(x).chunk(2, -1);
            return _down.forward(Gated(parts[0], parts[1], pass));
        }

        return _down.forward(_gate is null ? Activate(_up!.forward(x)) : Gated(_gate.forward(x), _up!.forward(x), pass));
    }

    private Tensor Gated(Tensor gate, Tensor up, ForwardPass pass) =>
        _activation == Activation.Silu && pass.Path == AttentionPath.Fused && TensorMemory.IsPlain(gate) && TensorMemory.IsPlain(up)
            ? GatedActivation.Of(gate, up)
            : Activate(gate) * up;

    private Tensor Activate(Tensor x) => _activation switch
    {
        Activation.Silu => nn.functional.silu(x),
        Activation.Gelu => nn.functional.gelu(x),
        Activation.GeluTanh => nn.functional.gelu(x, GELU.Approximate.tanh),
        Activation.Relu => nn.functional.relu(x),
        _ => throw new InvalidOperationException($"{_activation}"),
    };
}
