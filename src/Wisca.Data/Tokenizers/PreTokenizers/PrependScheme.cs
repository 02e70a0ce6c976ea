namespace Wisca.Data.Tokenizers.PreTokenizers;

/// <summary>Where a Metaspace pre-tokenizer puts its mark in front of a piece that does not begin with it.</summary>
internal enum PrependScheme
{
    /// <summary>Nowhere.</summary>
    Never,

    /// <summary>At the beginning of the whole text.</summary>
    First,

    /// <summary>At every piece of text, also behind added tokens.</summary>
    Always,
}
