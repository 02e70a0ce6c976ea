namespace Wisca.Data.Tokenizers.Models;

/// <summary>A token for each piece as it is, or the unknown one.</summary>
/// <param name="vocabulary">The tokens.</param>
/// <param name="unknownId">The token of all other pieces; without one they vanish.</param>
internal sealed class WordLevelModel(Vocabulary vocabulary, int? unknownId) : IPieceModel, IPieceEncoder
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids = vocabulary.BySpan();

    /// <inheritdoc/>
    public IPieceEncoder CreateEncoder() => this;

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> piece, List<int> output)
    {
        if (_ids.TryGetValue(piece, out int id)) output.Add(id);
        else if (unknownId is { } unknown) output.Add(unknown);
    }
}
