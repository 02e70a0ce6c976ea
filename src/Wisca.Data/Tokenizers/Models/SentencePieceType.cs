namespace Wisca.Data.Tokenizers.Models;

/// <summary>The types of a SentencePiece piece, by the numbers of its protocol buffer.</summary>
internal enum SentencePieceType
{
    /// <summary>Made by merging.</summary>
    Normal = 1,

    /// <summary>The unknown token; there is exactly one.</summary>
    Unknown = 2,

    /// <summary>Never text (BOS, EOS).</summary>
    Control = 3,

    /// <summary>Cut out of the text before anything is merged.</summary>
    UserDefined = 4,

    /// <summary>Excluded later on.</summary>
    Unused = 5,

    /// <summary>One byte of a character that has no piece.</summary>
    Byte = 6,
}
