namespace Wisca.Data.Tokenizers.Decoding;

/// <summary>One step of the way from the names of tokens to text.</summary>
internal interface IDecoder
{
    /// <summary>Rewrites the tokens; the text is what they give one after the other.</summary>
    IReadOnlyList<string> Apply(IReadOnlyList<string> tokens);
}
