using Wisca.Data.Corpora;

namespace Wisca.Evaluation.Scoring;

/// <summary>Cuts texts into the documents whose likelihood is measured one by one.</summary>
internal static class PerplexityDocuments
{
    /// <summary>How the reader has to hand over the texts. Files keep their last line break where pages may be cut from them:
    /// it is part of the last one.</summary>
    public static CorpusReaderOptions Reading(DocumentKind kind, CorpusReaderOptions options) => options with
    {
        Separator = kind is DocumentKind.Auto or DocumentKind.Separator ? options.Separator : null,
        KeepsFinalBreak = kind is DocumentKind.Auto or DocumentKind.Heading,
    };

    public static IEnumerable<PerplexityDocument> Cut(IEnumerable<string> texts, PerplexityOptions options) =>
        texts.SelectMany(text => Cut(text, options)).Take(options.Limit is { } limit and < int.MaxValue ? (int)limit : int.MaxValue);

    private static IEnumerable<PerplexityDocument> Cut(string text, PerplexityOptions options)
    {
        bool headings = false;
        IEnumerable<string> documents = options.Documents switch
        {
            DocumentKind.Line => text.Split('\n').Select(line => line.TrimEnd('\r')).Where(line => !string.IsNullOrWhiteSpace(line)),
            DocumentKind.Auto or DocumentKind.Heading => Pages(text, options.Documents, out headings),
            _ => [text],
        };
        bool detokenizes = options.Detokenization == Detokenization.Wikitext || (options.Detokenization == Detokenization.Auto && headings);
        return documents.Select(document => new PerplexityDocument(
            document,
            detokenizes ? WikitextDetokenizer.Detokenize(document) : document));
    }

    private static IEnumerable<string> Pages(string text, DocumentKind kind, out bool headings)
    {
        // The harness's data are read by Python, for which every kind of line break is \n.
        string lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        var pages = WikitextDetokenizer.Pages(lines, out headings);
        if (headings || kind == DocumentKind.Heading) return pages;
        if (text.EndsWith('\n')) text = text[..^1];
        return [text.EndsWith('\r') ? text[..^1] : text];
    }
}
