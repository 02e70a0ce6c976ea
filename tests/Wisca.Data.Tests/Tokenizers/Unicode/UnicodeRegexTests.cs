using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tests.Tokenizers.Unicode;

public sealed class UnicodeRegexTests
{
    [Theory]
    [InlineData(@"\p{L}", UnicodeCategory.UppercaseLetter, UnicodeCategory.OtherLetter)]
    [InlineData(@"\p{M}", UnicodeCategory.NonSpacingMark, UnicodeCategory.EnclosingMark)]
    [InlineData(@"\p{N}", UnicodeCategory.DecimalDigitNumber, UnicodeCategory.OtherNumber)]
    [InlineData(@"\p{P}", UnicodeCategory.ConnectorPunctuation, UnicodeCategory.OtherPunctuation)]
    [InlineData(@"\p{S}", UnicodeCategory.MathSymbol, UnicodeCategory.OtherSymbol)]
    [InlineData(@"\p{Lu}", UnicodeCategory.UppercaseLetter, UnicodeCategory.UppercaseLetter)]
    [InlineData(@"\p{Nd}", UnicodeCategory.DecimalDigitNumber, UnicodeCategory.DecimalDigitNumber)]
    public void FindMatches_EveryAssignedCharacter_IsMatchedByItsCategory(string pattern, UnicodeCategory first, UnicodeCategory last)
    {
        var regex = new UnicodeRegex(pattern, "test");
        var matches = new List<(int Start, int End)>();
        foreach (int scalar in Enumerable.Range(0, 0x32400).Concat(Enumerable.Range(0xE0000, 0x200)).Append(0xF0000).Append(0x10FFFF))
        {
            if (!Rune.IsValid(scalar)) continue;
            var category = CharUnicodeInfo.GetUnicodeCategory(scalar);
            string text = new Rune(scalar).ToString();
            matches.Clear();
            regex.FindMatches(text, matches);
            if (matches.Count != (category >= first && category <= last ? 1 : 0))
                throw new InvalidOperationException($"U+{scalar:X4}, {category}");
            if (matches.Count == 1 && matches[0] != (0, text.Length)) throw new InvalidOperationException($"U+{scalar:X4}: half a match");
        }
    }

    [Fact]
    public void FindMatches_LettersBeyondTheBasicPlane_AreOneWord()
    {
        const string Text = "x\U0001D49C\U0001D4D1y \U00020000 \U0001F600z";
        var matches = new List<(int Start, int End)>();
        new UnicodeRegex(@"\p{L}+", "test").FindMatches(Text, matches);
        matches.Select(match => Text[match.Start..match.End]).ShouldBe(["x\U0001D49C\U0001D4D1y", "\U00020000", "z"]);

        // .NET alone does not see them, which is why the class exists.
        Regex.Matches(Text, @"\p{L}+").Select(match => match.Value).ShouldBe(["x", "y", "z"]);
    }

    [Fact]
    public void FindMatches_CountedQuantifier_CountsCharacters()
    {
        var matches = new List<(int Start, int End)>();
        new UnicodeRegex("^.{2}", "test").FindMatches("\U0001F600\U0001F600\U0001F600", matches);
        matches.ShouldBe([(0, 4)]);
    }

    [Fact]
    public void StandIns_TheirRangesInAPattern_AreRefused()
    {
        foreach (char standIn in UnicodeRegex.StandIns)
        {
            string range = $"[{standIn}-{(char)(standIn + 1)}]";
            Should.Throw<WiscaException>(() => RegexTranslator.Translate(range, "x")).Message.ShouldContain("the range U+");
        }
    }

    [Theory]
    [InlineData("a?+b*+c++", "(?>a?)(?>b*)(?>c+)")]
    [InlineData(@"(?:ab|c)++\p{L}?+", @"(?>(?:ab|c)+)(?>\p{L}?)")]
    [InlineData("[^(a|[bc])]+", "[^(a|bc)]+")]
    [InlineData("(?i:'s|'T)s", "(?i:'[sSſ]|'T)s")]
    [InlineData("(?i:[r-t])", "(?i:[r-tſ])")]
    [InlineData("(?i)s(b)s", "(?i)[sSſ](b)[sSſ]")]
    [InlineData(@"[a\-z^-]", @"[a\-z\^\-]")]
    [InlineData(@"\_[\_\<]", @"_[_\<]")]
    [InlineData(@"[\u4E00-\u9FA5\x41-\x5A]", @"[\u4E00-\u9FA5\x41-\x5A]")]
    [InlineData(@"a{2,}b{1,3}c{4}", @"a{2,}b{1,3}c{4}")]
    public void Translate_WhatDiffers_IsRewritten(string pattern, string expected) =>
        RegexTranslator.Translate(pattern, "x").ShouldBe(expected);

    [Theory]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("*a")]
    [InlineData("a+*")]
    [InlineData("(+)")]
    [InlineData("a{,2}")]
    [InlineData("a{1,2}+")]
    [InlineData("a{2}?")]
    [InlineData("a{b}")]
    [InlineData("[a")]
    [InlineData("[]a]")]
    [InlineData("[a&&b]")]
    [InlineData("[a[^b]]")]
    [InlineData("[[:alpha:]]")]
    [InlineData(@"[a-\d]")]
    [InlineData(@"[\W]")]
    [InlineData(@"\h")]
    [InlineData(@"\R")]
    [InlineData(@"\b")]
    [InlineData(@"\p{Greek}")]
    [InlineData(@"\p{^L}")]
    [InlineData(@"\p")]
    [InlineData(@"\x{1F600}")]
    [InlineData(@"\uD83D\uDE00")]
    [InlineData("a\\")]
    [InlineData("(?<name>a)")]
    [InlineData("a(?i)b|c")]
    [InlineData("(?m:a)")]
    [InlineData("\U0001F600")]
    [InlineData("[\U0001F600]")]
    public void Translate_WhatNetReadsOtherwise_IsRefused(string pattern)
    {
        var exception = Should.Throw<WiscaException>(() => RegexTranslator.Translate(pattern, "tokenizer.json: key"));
        exception.Message.ShouldStartWith("tokenizer.json: key: the regular expression has ");
    }
}
