using TorchSharp.Modules;
using TorchSharp.Utils;
using Wisca.Torch.Kernels;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Normalises the last axis. The gain may have further axes in front (one gain for each head). Sixteen-bit types are normalised in
/// float32 and rounded where the family's own code rounds: before the gain, or, for gains stored less one, behind it.
/// </summary>
internal sealed class NormLayer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    private readonly NormConfig _config;

    public NormLayer(NormConfig config, Parameter weight, Parameter? bias)
        : base(nameof(NormLayer))
    {
        _config = config;
        _weight = weight;
        _bias = bias;
        RegisterComponents();
    }

    /// <summary>As <see cref="forward"/>, by our own kernel where it is made for it.</summary>
    public Tensor Forward(Tensor input, ForwardPass pass) =>
        _config.Kind == NormKind.RootMeanSquare && pass.Path == AttentionPath.Fused && _weight.dim() == 1
            && RootMeanSquareNorm.Takes(_weight.shape[0]) && TensorMemory.IsPlain(input) && TensorMemory.IsPlain(_weight)
            ? RootMeanSquareNorm.Of(input, _weight, _config.Epsilon, _config.UnitOffset ? 1 : 0)
            : forward(input);

    public override Tensor forward(Tensor input)
    {
        if (_config.Kind == NormKind.RootMeanSquare) return RootMeanSquare(input);
        long[] axis = [_weight.shape[^1]];

        // A gain wider than its input (float32 parameters, computing in bfloat16) is not rounded: the input is widened instead.
        var wide = input.to(Wider(input.dtype, _weight.dtype));
        var normal = _weight.dim() == 1
            ? nn.functional.layer_norm(wide, axis, _weight, _bias, _config.Epsilon)
            : nn.functional.layer_norm(wide, axis, eps: _config.Epsilon) * _weight;
        return normal.to(input.dtype);
    }

    private Tensor RootMeanSquare(Tensor input)
    {
        var wide = input.to(AtLeastFloat32(input.dtype));

        // The length takes one pass over the input; squares and their mean would be kept for the gradient.
        var length = linalg.norm(wide, 2, [-1], true);
        var normal = wide * length.Squared().Over(wide.shape[^1]).Plus(_config.Epsilon).rsqrt();
        if (_config.UnitOffset) return (normal * _weight.to(wide.dtype).Plus(1)).to(input.dtype);
        return (_weight * normal.to(Wider(input.dtype, _weight.dtype))).to(input.dtype);
    }

    private static ScalarType Wider(ScalarType input, ScalarType gain) =>
        gain is ScalarType.Float32 or ScalarType.Float64 ? AtLeastFloat32(input) : input;

    /// <summary>The type that sums of this type are held in.</summary>
    internal static ScalarType AtLeastFloat32(ScalarType dtype) => dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
}
