namespace Wisca.Data.Tokenizers.Training;

/// <summary>How far a training of <see cref="BytePairTrainer"/> is: first documents are counted, then the vocabulary grows.</summary>
/// <param name="Documents">Documents counted so far.</param>
/// <param name="VocabularySize">Tokens so far.</param>
public sealed record BytePairTrainingProgress(long Documents, int VocabularySize);
