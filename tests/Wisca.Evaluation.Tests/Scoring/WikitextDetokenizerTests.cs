using System.Security.Cryptography;
using System.Text;
using Wisca.Evaluation.Scoring;
using Wisca.Tests;

namespace Wisca.Evaluation.Tests.Scoring;

public sealed class WikitextDetokenizerTests
{
    // What is expected was computed by the harness's own function in Python.
    [Fact]
    public void Detokenize_InventedPage_AsTheHarnessDoes()
    {
        const string page =
            "= Harbour lights = \n \n The harbour 's lights ( also [ lamps ] and { lanterns } ) were 3 @,@ 400 @.@ 5 steps away ; well "
            + "@-@ known : \" bright \" and ' low ' ."
            + " Who knew ? Nobody ! It was 5 \u00b0 C , the sailors ' boats and N others '' x ''\n = = = = Deep = = = = \n";
        WikitextDetokenizer
            .Detokenize(page)
            .ShouldBe(
                "= Harbour lights =\n\nThe harbour's lights (also [lamps] and {lanterns}) were 3,400.5 steps away; "
                + "well-known: \"bright\" and' low '."
                    + " Who knew? Nobody! It was 5\u00b0C, the sailors' boats and 1 others'' x ''\n==== Deep ====\n");
    }

    [Fact]
    public void Detokenize_Peculiarities_AreKept() =>
        WikitextDetokenizer
            .Detokenize("/' 5/ and ( a ( b ) c ) \" one \" two \" three")
            .ShouldBe("/'[0-9]/ and (a ( b) c ) \"one\" two \" three");

    [Fact]
    public void Pages_Headings_CutBeforeThoseOfTheFirstLevel()
    {
        Pages("\n = One = \n\n a \n = = Part = = \n b \n = Two = \n c\n", true)
            .ShouldBe([" = One = \n\n a \n = = Part = = \n b ", " = Two = \n c\n"]);
        Pages("before\n = One = \nx", true).ShouldBe(["before", " = One = \nx"]);
        Pages(" = One = ", true).ShouldBe([" = One = "]);
        Pages("no heading\n = = Part = = \n=\n = \nx = y\n", false).ShouldBe(["no heading\n = = Part = = \n=\n = \nx = y\n"]);

        static IReadOnlyList<string> Pages(string text, bool expected)
        {
            var pages = WikitextDetokenizer.Pages(text, out bool headings);
            headings.ShouldBe(expected);
            return pages;
        }
    }

    [Theory]
    [InlineData(
        "test.txt", 62, 241_335, 1_296_307, "595135f57cecd94034cebac33dc31a845f6080dcc01fc2766f13df873db8f6c7",
        "df707b378202077116ccb3116944468ffd1721de747de7b5ed5ec175ed31b967")]
    [InlineData(
        "train.first1MB.txt", 59, 186_953, 999_942, "cd9792087b54142eb624a257d3755815dc98e06d85b86bc9b4368239fc19e74c",
        "3507970c00665422111f36803e81dbe0f4d50a1a551e5526c3900ac8191484f7")]
    public void Cut_RealFile_HasTheHarnesssPagesWordsAndBytes(string name, int pages, int words, int bytes, string original, string scored)
    {
        var options = new PerplexityOptions();
        var corpus = Perplexity.Open([TestData.Require("text", "wikitext-2-raw", name)], options);
        var documents = PerplexityDocuments.Cut(corpus.Documents(), options).ToList();
        documents.Count.ShouldBe(pages);
        documents.Sum(document => PythonText.Words(document.Original)).ShouldBe(words);
        documents.Sum(document => Encoding.UTF8.GetByteCount(document.Original)).ShouldBe(bytes);
        Hash(documents.Select(document => document.Original)).ShouldBe(original);
        Hash(documents.Select(document => document.Scored)).ShouldBe(scored);

        static string Hash(IEnumerable<string> texts) =>
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', texts))));
    }

    [Theory]
    [InlineData("a b", 2)]
    [InlineData("", 1)]
    [InlineData(" a\n\n b\u00a0", 4)]
    [InlineData("a\u001cb", 2)]
    public void Words_AreThePartsBetweenRunsOfWhiteSpace(string text, int expected) => PythonText.Words(text).ShouldBe(expected);

    [Theory]
    [InlineData(DocumentKind.Auto, new[] { "a N b\n\nc", "d N e" })]
    [InlineData(DocumentKind.Separator, new[] { "a N b\n\nc", "d N e" })]
    [InlineData(DocumentKind.Line, new[] { "a N b", "c", "<|endoftext|>", "d N e" })]
    [InlineData(DocumentKind.Whole, new[] { "a N b\n\nc\n<|endoftext|>\nd N e" })]
    [InlineData(DocumentKind.Heading, new[] { "a N b\n\nc\n<|endoftext|>\nd N e\n" })]
    public void Cut_OrdinaryText_IsCutAsAskedAndLeftAsItIs(DocumentKind kind, string[] expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.txt"], "a N b\n\nc\n<|endoftext|>\nd N e\n");
        Documents(new PerplexityOptions { Documents = kind }).ShouldBe(expected.Select(text => new PerplexityDocument(text, text)));
        Documents(new PerplexityOptions { Documents = kind, Detokenization = Detokenization.Wikitext })
            .First()
            .Scored.ShouldStartWith("a 1 b");
        Documents(new PerplexityOptions { Documents = kind, Limit = 1 }).Count.ShouldBe(1);

        List<PerplexityDocument> Documents(PerplexityOptions options) =>
            [.. PerplexityDocuments.Cut(Perplexity.Open([folder["a.txt"]], options).Documents(), options)];
    }

    [Fact]
    public void Cut_WikitextUnderWindowsLineBreaks_IsReadAsPythonReadsIt()
    {
        var options = new PerplexityOptions();
        var documents = PerplexityDocuments.Cut(["\r\n = One = \r\n a @-@ b \r\n"], options).ToList();
        documents.ShouldBe([new PerplexityDocument(" = One = \n a @-@ b \n", " = One =\na-b\n")]);
        PerplexityDocuments
            .Cut([" = One = \n a @-@ b \n"], options with { Detokenization = Detokenization.None })
            .Single()
            .Scored.ShouldBe(" = One = \n a @-@ b \n");
    }
}
