using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Lora;

/// <summary>
/// The factors of an embedding, and what becomes of the output projection that is tied to it. Letters: V tokens, D width, r rank. An
/// embedding's A is [r, V] and its B [D, r]; those of an output projection are [r, D] and [V, r].
/// </summary>
internal sealed class LowRankTable : ITableAdapter, IDisposable
{
    /// <summary>Factors of the rows; null without.</summary>
    public Factors? Rows { get; init; }

    /// <summary>Factors of the output projection; null without.</summary>
    public Factors? Head { get; init; }

    /// <summary>The output projection's own matrix, [V, D]; null where it is the table.</summary>
    public Tensor? HeadTable { get; init; }

    /// <summary>True where the output projection has the factors of the rows.</summary>
    public bool HeadFollows { get; init; }

    public Tensor Embed(Tensor weight_VD, Tensor ids)
    {
        var rows = TorchScriptKernels.Embed(weight_VD, ids);
        if (Rows is not { } factors) return rows;
        var low = factors.A.t().index_select(0, ids.flatten()).view([.. ids.shape, factors.A.shape[0]]).matmul(factors.B.t());
        var sum = rows.to(factors.A.dtype).Plus(low.Times(factors.Scale));
        if (factors.Magnitude is { } magnitude)
        {
            var table = weight_VD.to(factors.A.dtype).Plus(factors.A.t().matmul(factors.B.t()).Times(factors.Scale));
            sum *= magnitude / linalg.norm(table, 2, [0], false);
        }

        return sum.to(rows.dtype);
    }

    public Tensor Project(Tensor hidden, Tensor weight_VD)
    {
        var table = HeadTable ?? weight_VD;
        var product = MatrixProduct.Linear(hidden, table, null);
        if ((Head ?? (HeadFollows ? Rows : null)) is not { } factors) return product;
        var x = hidden.to(factors.A.dtype);
        var low = HeadFollows ? x.matmul(factors.B).matmul(factors.A) : x.matmul(factors.A.t()).matmul(factors.B.t());
        var sum = product.to(factors.A.dtype).Plus(low.Times(factors.Scale));
        if (factors.Magnitude is { } magnitude)
        {
            var merged = table.to(factors.A.dtype).Plus(factors.B.matmul(factors.A).Times(factors.Scale));
            sum *= magnitude / linalg.norm(merged, 2, [1], false);
        }

        return sum.to(product.dtype);
    }

    public void Dispose()
    {
        Rows?.Dispose();
        Head?.Dispose();
        HeadTable?.Dispose();
    }

    /// <summary>A, B, what their product is multiplied by, and DoRA's lengths; null without.</summary>
    internal sealed record Factors(Tensor A, Tensor B, double Scale, Tensor? Magnitude) : IDisposable
    {
        public void Dispose()
        {
            A.Dispose();
            B.Dispose();
            Magnitude?.Dispose();
        }
    }
}
