using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Wisca.Files;

namespace Wisca.Data.Tokenizers;

/// <summary>Tells tokenizers apart: what was tokenised by one must not be read with another.</summary>
public static class TokenizerHash
{
    private static readonly string[] Settings = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

    /// <summary>
    /// A hash (XXH128, 32 hexadecimal digits) of the files that a tokenizer was read from: its vocabulary (<c>merges.txt</c> too), and
    /// <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> as far as they are there. Of the model's
    /// own
    /// <c>config.json</c> only the ids of BOS and EOS count, so that the hash outlives the training of the model beside it. A tokenizer
    /// that was not read from a file is hashed by its tokens.
    /// </summary>
    /// <exception cref="WiscaException">A file is gone or cannot be read.</exception>
    public static string Of(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var hash = new XxHash128();
        Add(hash, "kind", Text(tokenizer.Kind.ToString()));
        Add(hash, "bos", Text(Number(tokenizer.BosId)));
        Add(hash, "eos", Text(Number(tokenizer.EosId)));
        if (Path.IsPathRooted(tokenizer.Source)) AddFiles(hash, tokenizer);
        else AddTokens(hash, tokenizer);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static void AddFiles(XxHash128 hash, Tokenizer tokenizer)
    {
        string folder = Path.GetDirectoryName(tokenizer.Source)!;
        Add(hash, "vocabulary", Read(tokenizer.Source));
        if (tokenizer.Kind == TokenizerKind.VocabularyAndMerges) Add(hash, "merges", Read(Path.Combine(folder, "merges.txt")));
        foreach (string name in Settings)
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path)) Add(hash, name, Read(path));
        }
    }

    private static void AddTokens(XxHash128 hash, Tokenizer tokenizer)
    {
        for (int id = 0; id < tokenizer.VocabularySize; id++) Add(hash, Number(id), Text(tokenizer.FindToken(id) ?? ""));
    }

    /// <summary>Name and length go in front, so that no two lists of parts are the same bytes.</summary>
    private static void Add(XxHash128 hash, string name, byte[] content)
    {
        hash.Append(Text($"{name}:{content.Length}:"));
        hash.Append(content);
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static string Number(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "none";

    private static byte[] Read(string path)
    {
        try
        {
            PlainFile.Check(path);
            return File.ReadAllBytes(path);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "check the path and its permissions", exception);
        }
    }
}
