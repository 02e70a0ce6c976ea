using Wisca.Data.Tokenizers.Pipelines;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>Finds and reads the tokenizer of a model folder.</summary>
public static class TokenizerLoader
{
    /// <summary>
    /// Reads the tokenizer of a model. Of a folder, the first of these is taken: <c>tokenizer.json</c> (Hugging Face: BPE, unigram,
    /// WordPiece, word-level), <c>tokenizer.model</c> (SentencePiece: BPE, unigram), <c>vocab.json</c> with <c>merges.txt</c> (GPT-2).
    /// Which special tokens there are, and whether BOS and EOS go around a text, is read from <c>tokenizer_config.json</c>,
    /// <c>special_tokens_map.json</c>, <c>added_tokens.json</c>, <c>generation_config.json</c> and <c>config.json</c> in the same folder,
    /// as far as they are there.
    /// </summary>
    /// <remarks>
    /// BOS and EOS: an <c>add_bos_token</c> or <c>add_eos_token</c> in <c>tokenizer_config.json</c> decides; otherwise the template
    /// in tokenizer.json; otherwise a SentencePiece model adds BOS (as Llama does) and GPT-2's files add nothing.
    /// Ids are those of Hugging Face's tokenizers 0.23 and of SentencePiece 0.1.97.
    /// </remarks>
    /// <param name="path">A model folder, or one of the three files (<c>*.json</c> or <c>*.model</c> by any name).</param>
    /// <exception cref="WiscaException">There is no tokenizer, it is damaged, or it has a part that is not supported.</exception>
    public static Tokenizer Load(string path) => LoadPath(path, rebuilt: false);

    /// <summary>
    /// As <see cref="Load"/>, but with the ids that Hugging Face transformers 5 gives: where <c>tokenizer_config.json</c> names
    /// LlamaTokenizer, it takes no more than vocabulary, merges and special tokens from tokenizer.json. A text that begins with a space
    /// then gets no second one, and characters that the vocabulary lacks are left out. The harness's figures are of these ids.
    /// </summary>
    /// <param name="path">A model folder, or one of the files.</param>
    /// <exception cref="WiscaException">There is no tokenizer, it is damaged, or it has a part that is not supported.</exception>
    public static Tokenizer LoadAsTransformers(string path) => LoadPath(path, rebuilt: true);

    private static PipelineTokenizer LoadPath(string path, bool rebuilt)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path)) return LoadFile(Path.GetFullPath(path), rebuilt);
        if (!Directory.Exists(path)) throw new WiscaException($"{path} does not exist", "name a model folder");
        string folder = Path.GetFullPath(path);
        string[] names = ["tokenizer.json", "tokenizer.model", "vocab.json"];
        string? found = names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return found is null
            ? throw new WiscaException(
                $"{path} holds no tokenizer",
                "expected tokenizer.json, tokenizer.model, or vocab.json with merges.txt")
            : LoadFile(found, rebuilt);
    }

    private static PipelineTokenizer LoadFile(string file, bool rebuilt)
    {
        var settings = TokenizerSettings.Load(Path.GetDirectoryName(file)!);
        return new PipelineTokenizer(Path.GetExtension(file) switch
        {
            ".model" => SentencePieceReader.Read(file, settings),
            ".json" when Path.GetFileName(file) == "vocab.json" => VocabularyAndMergesReader.Read(file, settings),
            ".json" => new TokenizerJsonReader(file, settings, rebuilt).Read(),
            _ => throw new WiscaException(
                $"{file} is no tokenizer",
                "expected tokenizer.json, tokenizer.model, or vocab.json with merges.txt"),
        });
    }
}
