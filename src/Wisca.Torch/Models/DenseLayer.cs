using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Wisca.Models;

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

    public override Tensor forward(Tensor input) => MatrixProduct.Linear(input, _transposed ? _weight.t() : _weight, _bias);
}
