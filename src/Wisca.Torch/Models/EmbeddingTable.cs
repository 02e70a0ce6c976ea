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

    /// <summary>The stored table.</summary>
    public Parameter Weight => _weight;

    /// <summary>What makes other rows of it, such as LoRA; null without.</summary>
    public ITableAdapter? Adapter { get; set; }

    public override Tensor forward(Tensor input) => Adapter?.Embed(_weight, input) ?? TorchScriptKernels.Embed(_weight, input);

    public Tensor Project(Tensor hidden) => Adapter?.Project(hidden, _weight) ?? MatrixProduct.Linear(hidden, _weight, null);

    /// <summary>Rows begin to begin + count.</summary>
    public Tensor Rows(long begin, long count) =>
        Adapter?.Embed(_weight, tensor(Enumerable.Range((int)begin, (int)count).Select(row => (long)row).ToArray(), device: _weight.device))
        ?? _weight.narrow(0, begin, count);
}
