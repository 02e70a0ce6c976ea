using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>An embedding with some rows of an adapter's, in the base's type.</summary>
internal sealed record TokenEdit(AdapterTokens Tokens, StoredTensor? Stored) : TensorEdit(0)
{
    private readonly Dictionary<int, int> _places = Tokens.Ids.Select((id, place) => (id, place)).ToDictionary();

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        bool own = _places.TryGetValue(row, out int place);
        if (!own && Stored is null)
        {
            source.CopyTo(target);
            return;
        }

        var from = new MatrixView(own ? Tokens.Rows : Stored!, 0);
        double[] values = new double[matrix.Columns];
        from.Decode(own ? place : row, values);
        MergeEdit.Store(matrix, row, values, target);
    }
}
