using Wisca.Checkpoints;
using Wisca.Models;
using Wisca.Scoring;
using Wisca.Tokenizers;
using Wisca.Torch;

namespace Wisca.Cli.CommandLine;

/// <summary>A model in memory, with what scores text by it.</summary>
internal sealed class EvaluatedModel : IDisposable
{
    private readonly Decoder _decoder;

    private EvaluatedModel(Checkpoint checkpoint, Tokenizer tokenizer, Decoder decoder, ScoringOptions options)
    {
        _decoder = decoder;
        Checkpoint = checkpoint;
        Tokenizer = tokenizer;
        Scorer = new ModelScorer(decoder, tokenizer, options);
    }

    public Checkpoint Checkpoint { get; }

    public Tokenizer Tokenizer { get; }

    public ModelScorer Scorer { get; }

    public static EvaluatedModel Open(EvaluationOptions options)
    {
        var checkpoint = Checkpoint.Open(options.Model);
        Decoder? decoder = null;
        try
        {
            var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
            TorchRuntime.Require();
            TorchRuntime.Threads = options.Threads;
            decoder = Decoder.Load(checkpoint, options.Precision);
            return new EvaluatedModel(checkpoint, tokenizer, decoder, options.Scoring);
        }
        catch
        {
            decoder?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _decoder.Dispose();
        Checkpoint.Dispose();
    }
}
