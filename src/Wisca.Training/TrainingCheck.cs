using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Data.Tokenizers.Training;
using Wisca.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training;

/// <summary>What a run will train, found out without training it.</summary>
/// <param name="Parameters">Number of parameters that train.</param>
/// <param name="ActiveParameters">Of all parameters, frozen ones too, those that a token meets:
/// all but the experts it is not sent to.</param>
/// <param name="FlopsPerToken">
/// Floating-point operations of a token's forward and backward pass, attention aside: 6 for each parameter that it meets (Kaplan et al.
/// 2020), 4 for a frozen one, which has no gradient of its own.
/// </param>
/// <param name="Steps">Number of optimizer steps.</param>
/// <param name="TokensPerStep">Number of tokens of a step; a mean where batches differ in length.</param>
public sealed record TrainingCheck(long Parameters, long ActiveParameters, double FlopsPerToken, int Steps, double TokensPerStep)
{
    internal const double FlopsPerParameter = 6, FlopsPerFrozenParameter = 4;

    /// <summary>Number of tokens that the run trains on.</summary>
    public long Tokens => (long)Math.Round(Steps * TokensPerStep);

    /// <summary>
    /// Makes the run's model, without drawing its weights, its optimizer and its transitions: names that match no tensor, models that do
    /// not exist and transitions that are not exact are found before anything runs. Where the tokenizer is yet to be trained it is taken to
    /// have as many tokens as was asked for.
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
        CheckTransitions(config.Wisca, model, parameters, optimizer);
        long all = parameters.Sum(entry => entry.Parameter.numel()), active = all - Idle(model.Config);
        return new TrainingCheck(
            all, active, FlopsPerParameter * active, config.Steps,
            (double)config.BatchSize * config.Accumulation * config.Data.SequenceLength);
    }

    /// <summary>Makes the transitions and rotations of a run, if there are any.</summary>
    internal static void CheckTransitions(
        WiscaSection section, Decoder model, IReadOnlyList<(string Name, Parameter Parameter)> movable,
        params IReadOnlyList<IParameterState> states)
    {
        if (section.Rotate.IsActive)
        {
            var plan = states.OfType<LoraModel>().SingleOrDefault() is { } lora
                ? section.Rotate.PlanFor(lora)
                : RotationScheduler.PlanFor(model);
            new RotationScheduler(movable, plan, section.Rotate.Options(0), states).Dispose();
        }

        if (section.Balance.IsActive)
            new HeadBalancer(movable, RotationScheduler.PlanFor(model), section.Balance.Options, states).Dispose();
        if (!section.IsActive) return;
        var options = section.Options;
        _ = new WiscaScheduler(
            movable,
            WiscaScheduler.PlanFor(
                model.named_parameters().Select(entry => (entry.name, entry.parameter)),
                model.Config.Source!,
                options.Transitions),
            options,
            states);
    }

    /// <summary>Number of parameters of a model that a token does not meet.</summary>
    internal static long Idle(DecoderConfig config) => config.Layers.Select(layer => layer.Mixture).OfType<MixtureConfig>()
        .Sum(mixture => (long)(mixture.Experts - mixture.ExpertsPerToken) * 3 * config.HiddenSize * mixture.IntermediateSize);

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
