using Wisca.Checkpoints;
using Wisca.Communication;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Settings;
using Wisca.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Training.Configuration;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training.Finetuning;

/// <summary>
/// Finds out what fine-tunings will train, without training them. One check may be asked about many runs: examples are read and encoded
/// once for all that have them in common.
/// </summary>
public sealed class FinetuneCheck
{
    // So many batches tell how long they are.
    private const int BatchesRead = 64;

    private readonly Dictionary<string, Examples> _examples = new(StringComparer.Ordinal);

    /// <summary>
    /// Reads the examples and makes the run's model, without reading its weights, its adapter, its optimizer and its transitions: what does
    /// not exist or cannot be read, names that match nothing and transitions that are not exact are found before anything runs.
    /// </summary>
    /// <param name="config">The run.</param>
    /// <exception cref="WiscaException">The run would not begin.</exception>
    public TrainingCheck Of(FinetuneConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        string folder = FinetuneTask.BaseOf(config);
        TorchRuntime.Require();
        DecoderConfig described;
        using (var checkpoint = Checkpoint.Open(folder)) described = DecoderConfig.From(checkpoint.Config);
        var examples = ExamplesOf(config, config.Base.Tokenizer ?? folder);
        int steps = FinetuneTask.StepsOf(config, examples.RowsPerEpoch);
        using var model = TrainingModel.Fit(
            new Decoder(described), examples.Tokenizer, config.Data.SequenceLength, config.Precision, config.Device,
            SingleProcess.Instance);
        using var lora = config.Adapter.Type == AdapterKind.Lora ? LoraModel.Sketch(model, config.Adapter.Config(folder)) : null;
        IReadOnlyList<(string Name, Parameter Parameter)> whole =
        [
            .. model.named_parameters().Select(entry => (entry.name, entry.parameter)),
        ];
        var trained = lora is null ? whole : [.. lora.Parameters.Select(entry => (entry.name, entry.parameter))];
        using var optimizer = OptimizerFactory.Create(config.EffectiveOptimizer, trained);
        if (lora is null) TrainingCheck.CheckTransitions(config.Wisca, model, whole, optimizer);
        else TrainingCheck.CheckTransitions(config.Wisca, model, lora.AllParameters, optimizer, lora);
        long trains = trained.Sum(entry => entry.Parameter.numel()),
            frozen = lora is null ? 0 : lora.Summary.Total - trains,
            idle = TrainingCheck.Idle(described);
        double flops = lora is null
            ? TrainingCheck.FlopsPerParameter * (trains - idle)
            : (TrainingCheck.FlopsPerParameter * trains) + (TrainingCheck.FlopsPerFrozenParameter * (frozen - idle));
        return new TrainingCheck(trains, trains + frozen - idle, flops, steps, examples.TokensPerBatch * config.Accumulation);
    }

    private Examples ExamplesOf(FinetuneConfig config, string tokenizer)
    {
        string key = SettingsWriter.Hash(
            new FinetuneConfig
            {
                BatchSize = config.BatchSize,
                Base = new() { Tokenizer = tokenizer },
                Data = config.Data,
                Evaluation = new() { Tokens = config.Evaluation.Tokens },
            });
        if (_examples.TryGetValue(key, out var known)) return known;
        using var data = InstructionData.Prepare(config, TokenizerLoader.Load(tokenizer), _ => { }, CancellationToken.None);
        int batches = (int)Math.Clamp(data.Batches.SequencesPerEpoch / config.BatchSize, 1, BatchesRead);
        double tokens = Enumerable
            .Range(0, batches)
            .Average(batch => (double)data.Batches.Read((long)batch * config.BatchSize, config.BatchSize).Ids.Length);
        return _examples[key] = new Examples(data.Tokenizer, data.Batches.SequencesPerEpoch, tokens);
    }

    private sealed record Examples(Tokenizer Tokenizer, long RowsPerEpoch, double TokensPerBatch);
}
