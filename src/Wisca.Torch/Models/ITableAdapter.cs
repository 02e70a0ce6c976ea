using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>What changes the rows of a table of embeddings, or the output projection that is tied to it, and not the table.</summary>
internal interface ITableAdapter
{
    /// <summary>The rows that the table gives instead of its own, [..., D].</summary>
    /// <param name="weight_VD">The table.</param>
    /// <param name="ids">Which rows, [...].</param>
    Tensor Embed(Tensor weight_VD, Tensor ids);

    /// <summary>The product with every row that it gives instead of its own, [..., V].</summary>
    /// <param name="hidden">[..., D].</param>
    /// <param name="weight_VD">The table.</param>
    Tensor Project(Tensor hidden, Tensor weight_VD);
}
