using System.Globalization;
using System.Text;

namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>The classes of characters that the reference's regular expressions know and .NET has otherwise or not at all.</summary>
internal static class CharacterClasses
{
    /// <summary>
    /// What <c>\w</c> means to Oniguruma, as the inside of a .NET character class: alphabetic, mark, decimal digit or connector.
    /// .NET's own <c>\w</c> lacks spacing marks, letter numbers and circled letters.
    /// </summary>
    public const string Word = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9\u00B2\u00B3\u00B9\u00BC-\u00BE";

    /// <summary>What <c>\w</c> means to Rust's regular expressions: as above without the superscripts, with the joiners.</summary>
    public const string RustWord = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9\u200C\u200D";

    /// <summary>Whether <see cref="RustWord"/> holds a character.</summary>
    public static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter => true,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => true,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        UnicodeCategory.OtherSymbol => IsCircledLetter(rune.Value),
        _ => rune.Value is 0x200C or 0x200D,
    };

    /// <summary>Whether a character is a symbol that counts as alphabetic (Other_Alphabetic of category So).</summary>
    public static bool IsCircledLetter(int scalar) =>
        scalar is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);
}
