using Wisca.Data.Tokenizers;

namespace Wisca.Training.Batches;

/// <summary>What a run trains on and is measured on.</summary>
internal abstract class TrainingData : IDisposable
{
    private readonly TokenizerFiles _files;

    protected TrainingData(Tokenizer tokenizer) => (Tokenizer, _files) = (tokenizer, new TokenizerFiles(tokenizer));

    public Tokenizer Tokenizer { get; }

    public abstract IBatchSource Batches { get; }

    /// <summary>What the best checkpoint is chosen by.</summary>
    public abstract IHeldOutEvaluator HeldOut { get; }

    /// <summary>What nothing is chosen by; null where there is none.</summary>
    public abstract IHeldOutEvaluator? Test { get; }

    /// <summary>Writes the tokenizer's files into a model folder.</summary>
    public void CopyTokenizer(string folder) => _files.CopyTo(folder);

    public virtual void Dispose()
    {
    }
}
