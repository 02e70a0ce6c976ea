using Wisca.Checkpoints;
using Wisca.Models;
using Wisca.Tokenizers;
using Wisca.Torch;
using Wisca.Transitions;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training;

/// <summary>What a run will train, found out without training it.</summary>
/// <param name="Parameters">Number of parameters.</param>
/// <param name="ActiveParameters">Of those the ones that a token meets: all but the experts it is not sent to.</param>
public sealed record TrainingCheck(long Parameters, long ActiveParameters)
{
    /// <summary>
    /// Makes the run's model, without drawing its weights, its optimizer and its transitions: names that match no tensor, models that do not exist and
    /// transitions that are not exact are found before anything runs. Where the tokenizer is yet to be trained it is taken to have as many tokens as was asked for.
    /// </summary>
    /// <param name="config">The run.</param>
    /// <exception cref="WiscaException">The run would not begin.</exception>
    public static TrainingCheck Of(TrainingConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        TorchRuntime.Require();
        using var model = new Decoder(Describe(config));
        List<(string Name, Parameter Parameter)> parameters = [.. model.named_parameters().Select(entry => (entry.name, entry.parameter))];
        using var optimizer = OptimizerFactory.Create(config.Optimizer, parameters);
        var options = config.Wisca.Options;
        if (config.Wisca.IsActive) _ = new WiscaScheduler(parameters, WiscaScheduler.PlanFor(parameters, model.Config.Source!, options.Transitions), options, optimizer);
        long all = parameters.Sum(entry => entry.Parameter.numel());
        long idle = model.Config.Layers.Select(layer => layer.Mixture).OfType<MixtureConfig>()
            .Sum(mixture => (long)(mixture.Experts - mixture.ExpertsPerToken) * 3 * model.Config.HiddenSize * mixture.IntermediateSize);
        return new TrainingCheck(all, all - idle);
    }

    private static DecoderConfig Describe(TrainingConfig config)
    {
        if (config.Model.From is { } from)
        {
            using var checkpoint = Checkpoint.Open(from);
            return DecoderConfig.From(checkpoint.Config);
        }

        int vocabulary = config.Tokenizer switch
        {
            { Path: { } path } => TokenizerLoader.Load(path).VocabularySize,
            { Source: TokenizerSource.Bytes } => ByteTokenizer.Create().VocabularySize,
            var trained => trained.Vocabulary,
        };
        return TrainingModel.Describe(config, vocabulary, null, null);
    }
}
