using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>One row of [n, D] for each id; or, where the output projection is tied to it, the product with every row.</summary>
internal sealed class EmbeddingTable : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    public EmbeddingTable(Parameter weight)
        : base(nameof(EmbeddingTable))
    {
        _weight = weight;
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => TorchScriptKernels.Embed(_weight, input);

    public Tensor Project(Tensor hidden) => MatrixProduct.Linear(hidden, _weight, null);

    /// <summary>Rows begin to begin + count.</summary>
    public Tensor Rows(long begin, long count) => _weight.narrow(0, begin, count);
}
