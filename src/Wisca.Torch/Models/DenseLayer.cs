using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>x W^T + b with W [outputs, inputs], or x W + b with W [inputs, outputs] (GPT-2's Conv1D), computed in x's type.</summary>
internal sealed class DenseLayer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    private readonly bool _transposed;

    public DenseLayer(Parameter weight, Parameter? bias, bool transposed)
        : base(nameof(DenseLayer))
    {
        _weight = weight;
        _bias = bias;
        _transposed = transposed;
        RegisterComponents();
    }

    /// <summary>The stored matrix.</summary>
    public Parameter Weight => _weight;

    /// <summary>True where it is stored [inputs, outputs].</summary>
    public bool Transposed => _transposed;

    /// <summary>What makes another product of it, such as LoRA; null without.</summary>
    public ILayerAdapter? Adapter { get; set; }

    public override Tensor forward(Tensor input)
    {
        var weight = _transposed ? _weight.t() : _weight;
        return Adapter is null ? MatrixProduct.Linear(input, weight, _bias) : Adapter.Forward(input, weight, _bias);
    }
}
