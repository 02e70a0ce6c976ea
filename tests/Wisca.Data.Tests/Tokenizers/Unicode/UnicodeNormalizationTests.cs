using System.Text;
using CsCheck;
using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tests.Tokenizers.Unicode;

/// <summary>Normalization by the equations of UAX 15 and by its examples; the golden ids compare it with another implementation.</summary>
public sealed class UnicodeNormalizationTests
{
    private static readonly Gen<string> Texts =
        Gen.Frequency(
            (2, Gen.Int[0, 0x2FFFF]),
            (2, Gen.Int[0xC0, 0x36F]),
            (2, Gen.Int[0x1E00, 0x1FFF]),
            (1, Gen.Int[0x1100, 0x11FF]),
            (1, Gen.Int[0xAC00, 0xD7A3]),
            (1, Gen.Int[0x61, 0x7A]))
        .Where(scalar => Rune.IsValid(scalar))
        .Array[0, 12]
        .Select(scalars => string.Concat(scalars.Select(scalar => new Rune(scalar).ToString())));

    [Theory]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("\uAC01", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\u1100\u1161\u11A8x", "\uAC01x", "\u1100\u1161\u11A8x", "\uAC01x", "\u1100\u1161\u11A8x")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301")]
    [InlineData("\U0002F800", "\u4E3D", "\u4E3D", "\u4E3D", "\u4E3D")]
    [InlineData(
        "q\u0307\u0323 a\u0315\u0300\u05AE\u0062", "q\u0323\u0307 \u00E0\u05AE\u0315b", "q\u0323\u0307 a\u05AE\u0300\u0315b",
        "q\u0323\u0307 \u00E0\u05AE\u0315b", "q\u0323\u0307 a\u05AE\u0300\u0315b")]
    public void Normalize_KnownTexts_GivesTheirForms(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        UnicodeNormalization.Normalize(text, compatible: false, compose: true).ShouldBe(nfc);
        UnicodeNormalization.Normalize(text, compatible: false, compose: false).ShouldBe(nfd);
        UnicodeNormalization.Normalize(text, compatible: true, compose: true).ShouldBe(nfkc);
        UnicodeNormalization.Normalize(text, compatible: true, compose: false).ShouldBe(nfkd);
    }

    [Fact]
    public void Normalize_AnyText_ObeysTheEquations() => Texts.Sample(
        text =>
        {
            string Form(string of, bool compatible, bool compose) => UnicodeNormalization.Normalize(of, compatible, compose);
            string nfc = Form(text, false, true),
                nfd = Form(text, false, false),
                nfkc = Form(text, true, true),
                nfkd = Form(text, true, false);
            Form(nfd, false, true).ShouldBe(nfc);
            Form(nfc, false, false).ShouldBe(nfd);
            Form(nfc, false, true).ShouldBe(nfc);
            Form(nfd, true, true).ShouldBe(nfkc);
            Form(nfkc, true, false).ShouldBe(nfkd);
            Form(nfkd, false, true).ShouldBe(nfkc);
            Form(nfkc, false, true).ShouldBe(nfkc);
        },
        iter: 5_000);
}
