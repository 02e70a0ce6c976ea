using Wisca.Adapters;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Commands.Verbs;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Proofs;

namespace Wisca.Cli.Verbs;

/// <summary>Runs models by libtorch.</summary>
internal sealed class ModelRunner : IModelRunner
{
    public IBaseDecomposition Decomposition { get; } = new PeftDecomposition();

    public string? Obstacle(Checkpoint model)
    {
        try
        {
            DecoderConfig.From(model.Config);
            return null;
        }
        catch (WiscaException exception)
        {
            return exception.Message;
        }
    }

    public int[] Encode(Checkpoint model, string text) => TokenizerLoader.Load(model.Folder).Encode(text);

    public int[] RandomTokens(Checkpoint model, int count, ulong seed) =>
        Torch.Proofs.RandomTokens.Draw(count, DecoderConfig.From(model.Config).VocabularySize, seed);

    public ForwardProofReport Compare(
        Checkpoint a, Checkpoint b, int[] tokens, ModelRunOptions options, IProgress<double> progress, CancellationToken cancellation) =>
        ForwardProof.Compare(
            a,
            b,
            tokens,
            new ForwardProofOptions
            {
                Precision = options.Native ? ComputePrecision.Native : ComputePrecision.F32,
                Threads = options.Threads,
                Adapter = options.Adapter,
            },
            progress,
            cancellation);
}
