using Wisca.Adapters;

namespace Wisca.Core.Tests.Adapters;

/// <summary>Patterns and what CPython 3.11's <c>re.fullmatch</c> says of them.</summary>
public sealed class PythonPatternTests
{
    [Theory]
    [InlineData(@"(?P<l>a|b)c(?P=l)", "aca", true)]
    [InlineData(@"(?P<l>a|b)c(?P=l)", "acb", false)]
    [InlineData(@"model\.layers\.\d++\.q", "model.layers.12.q", true)]
    [InlineData("a++ab", "aaab", false)]
    [InlineData("a+ab", "aaab", true)]
    [InlineData("(?>a|ab)c", "abc", false)]
    [InlineData("(a|ab)c", "abc", true)]
    [InlineData("x*+y", "xxy", true)]
    [InlineData("x{1,2}+xy", "xxy", false)]
    [InlineData("x{,2}y", "xxy", true)]
    [InlineData("x{,2}y", "x{,2}y", false)]
    [InlineData("x{a}", "x{a}", true)]
    [InlineData(@"ab\Z", "ab", true)]
    [InlineData("ab$", "ab\n", false)]
    [InlineData("(?i)Q_PROJ", "q_proj", true)]
    [InlineData("(?i:Q)_P", "q_P", true)]
    [InlineData("(?i:Q)_P", "q_p", false)]
    [InlineData("(?x) q _ proj  # the query", "q_proj", true)]
    [InlineData(@"(?a)\w+", "é", false)]
    [InlineData(@"\w+", "é", true)]
    [InlineData("[a-z-[aeiou]]+", "b]", true)]
    [InlineData("[[]x", "[x", true)]
    [InlineData(@"(a)(?P<n>b)\1(?P=n)\2", "ababb", true)]
    [InlineData(@"(?P<n>b)(a)\2\1", "baab", true)]
    [InlineData("(x)?(?(1)y|z)", "xy", true)]
    [InlineData("(x)?(?(1)y|z)", "z", true)]
    [InlineData("(?P<o>x)?(?(o)y|z)", "y", false)]
    [InlineData(@"\_a\-", "_a-", true)]
    [InlineData(@"\101", "A", true)]
    [InlineData("(?#note)a", "a", true)]
    [InlineData("(?<=a)b", "b", false)]
    [InlineData("a(?<=a)b", "ab", true)]
    [InlineData("(?s).", "\n", true)]
    [InlineData(".", "\n", false)]
    [InlineData(@"\x41\u0042", "AB", true)]
    [InlineData("[]a]+", "]a", true)]
    [InlineData("[^]a]", "b", true)]
    [InlineData("(ab)++", "abab", true)]
    [InlineData("(?:a|b)*+b", "aab", false)]
    public void Whole_Patterns_MatchAsInPython(string pattern, string text, bool expected) =>
        TargetModules.Matching(pattern).Match(text).ShouldBe(expected);

    [Theory]
    [InlineData("a**")]
    [InlineData(@"\z")]
    [InlineData(@"\p{L}")]
    [InlineData("a(?i)b")]
    [InlineData("(?P<1a>x)")]
    [InlineData("(?P=q)")]
    [InlineData(@"\2(a)")]
    [InlineData("*a")]
    [InlineData("a++*")]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("a{2}{3}")]
    [InlineData("(?P<n>a)(?P<n>b)")]
    [InlineData(@"a\")]
    public void Whole_WhatPythonRefuses_IsRefused(string pattern)
    {
        var exception = Should.Throw<WiscaException>(() => TargetModules.Matching(pattern));
        exception.Message.ShouldContain($"target_modules '{pattern}' is not a regular expression");
        exception.Hint.ShouldBe("mend the pattern");
    }

    [Theory]
    [InlineData(@"\N{DIGIT ONE}", @"\N")]
    [InlineData("(?P>x)", "(?P>")]
    [InlineData("(?<n>a)", "(?<")]
    [InlineData(@"(?a)\bq", @"\b with the flag a")]
    public void Whole_ConstructsThatAreNotTranslated_AreNamed(string pattern, string construct) =>
        Should.Throw<WiscaException>(() => TargetModules.Matching(pattern))
            .Message.ShouldContain($"'{construct}' is a construct of Python's regular expressions that is not known here");

    [Theory]
    [InlineData("target_modules", """ "target_modules": "(a+)+b" """)]
    [InlineData("exclude_modules", """ "target_modules": ["q"], "exclude_modules": "(a+)+b" """)]
    [InlineData("rank_pattern", """ "target_modules": ["q"], "rank_pattern": {"(a+)+b": 2} """)]
    [InlineData("alpha_pattern", """ "target_modules": ["q"], "alpha_pattern": {"(a+)+b": 2} """)]
    public void Match_PatternThatTakesTooLong_IsOneLine(string key, string json)
    {
        var config = AdapterConfig.Parse($$"""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, {{json}}}""");
        string module = new string('a', 40) + "q";
        var exception = Should.Throw<WiscaException>(() => (config.Adapts(module), config.ScaleOf(module)));
        exception.Message.ShouldStartWith($"adapter_config.json: {key} '(a+)+b' takes longer than 1 s to match '{module}'");
        exception.Message.ShouldNotContain("\n");
    }
}
