using Wisca.Checkpoints;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Torch;
using Wisca.Torch.Models;

namespace Wisca.Evaluation.Scoring;

/// <summary>A checkpoint's model in memory, with what scores text by it.</summary>
public sealed class EvaluatedModel : IDisposable
{
    private readonly Decoder _decoder;

    private EvaluatedModel(Checkpoint checkpoint, Tokenizer tokenizer, Decoder decoder, ScoringOptions? options)
    {
        _decoder = decoder;
        Checkpoint = checkpoint;
        Tokenizer = tokenizer;
        Scorer = new ModelScorer(decoder, tokenizer, options);
    }

    /// <summary>Where the model is from.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What scores text.</summary>
    public ModelScorer Scorer { get; }

    /// <summary>Loads a model.</summary>
    /// <param name="folder">The checkpoint's folder, with its tokenizer.</param>
    /// <param name="precision">The type to compute in.</param>
    /// <param name="threads">Number of threads that the process computes with.</param>
    /// <param name="options">How requests are put to it; null for the defaults.</param>
    /// <exception cref="WiscaException">The checkpoint or its tokenizer cannot be read, or there is no libtorch.</exception>
    public static EvaluatedModel Open(string folder, ComputePrecision precision, int threads, ScoringOptions? options = null)
    {
        var checkpoint = Checkpoint.Open(folder);
        Decoder? decoder = null;
        try
        {
            var tokenizer = TokenizerLoader.LoadAsTransformers(checkpoint.Folder);
            TorchRuntime.Require();
            TorchRuntime.Threads = threads;
            decoder = Decoder.Load(checkpoint, precision);
            return new EvaluatedModel(checkpoint, tokenizer, decoder, options);
        }
        catch
        {
            decoder?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _decoder.Dispose();
        Checkpoint.Dispose();
    }
}
