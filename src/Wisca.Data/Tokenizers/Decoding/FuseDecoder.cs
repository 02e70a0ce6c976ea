namespace Wisca.Data.Tokenizers.Decoding;

/// <summary>Makes one token of all.</summary>
internal sealed class FuseDecoder : IDecoder
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Apply(IReadOnlyList<string> tokens) => [string.Concat(tokens)];
}
