namespace Wisca.Data.Tokenizers.Training;

/// <summary>
/// The tokenizer that needs no training: each byte of the UTF-8 text is a token whose id is its value, and 256 ends a document. It is a
/// byte-level BPE tokenizer without merges, so that a model folder holds it as any other, and Hugging Face's tokenizers read it.
/// </summary>
public static class ByteTokenizer
{
    /// <summary>The id of EOS, and the number of bytes.</summary>
    public const int EosId = 256;

    /// <summary>Makes the tokenizer; <see cref="TrainedTokenizer.Save"/> puts it into a folder.</summary>
    /// <param name="bosToken">The token that goes in front of every text, with the id 257; null for none.</param>
    /// <param name="modelMaxLength">The longest text in tokens that the model is for; null for no limit.</param>
    public static TrainedTokenizer Create(string? bosToken = null, int? modelMaxLength = null)
    {
        int size = EosId + (bosToken is null or BytePairTrainingOptions.EndOfText ? 1 : 2);
        return BytePairTrainer.Train(
            [""],
            new BytePairTrainingOptions
            {
                VocabularySize = size,
                BosToken = bosToken,
                ModelMaxLength = modelMaxLength,
            });
    }
}
