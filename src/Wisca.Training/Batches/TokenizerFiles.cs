using Wisca.Data.Tokenizers;

namespace Wisca.Training.Batches;

/// <summary>
/// The files of a tokenizer. They are held in memory, since a resumed run has them from a checkpoint,
/// and that one will be removed when there are later ones.
/// </summary>
internal sealed class TokenizerFiles
{
    private static readonly string[] Known =
    [
        "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json",
    ];

    private readonly IReadOnlyList<(string Name, byte[] Content)> _files;

    public TokenizerFiles(Tokenizer tokenizer)
    {
        string folder = Path.GetDirectoryName(tokenizer.Source)!;
        _files =
        [
            .. Known
                .Append(Path.GetFileName(tokenizer.Source))
                .Distinct()
                .Where(name => File.Exists(Path.Combine(folder, name)))
                .Select(name => (name, File.ReadAllBytes(Path.Combine(folder, name)))),
        ];
    }

    /// <summary>Writes them into a model folder.</summary>
    public void CopyTo(string folder)
    {
        foreach (var (name, content) in _files) File.WriteAllBytes(Path.Combine(folder, name), content);
    }
}
