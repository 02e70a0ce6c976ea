using System.Globalization;
using Wisca.Models;
using Wisca.Tokenizers;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Training;

/// <summary>Makes what a fine-tuning trains, and on what.</summary>
internal static class FinetuneTask
{
    public static TrainingTask Prepare(FinetuneConfig config, string? checkpoint, ITrainingObserver observer, CancellationToken cancellation)
    {
        if (config.Base.Model is not { } folder) throw new WiscaException("base.model names no model", "name the folder of the model to fine-tune: base: {model: DIR}, or --set base.model=DIR");
        TorchRuntime.Require();
        var tokenizer = TokenizerLoader.Load(config.Base.Tokenizer ?? folder);
        var data = InstructionData.Prepare(config, tokenizer, observer, cancellation);
        long rows = (long)config.BatchSize * config.Accumulation;
        int steps = config.Steps ?? (int)Math.Clamp(Math.Ceiling(config.Epochs * data.Batches.SequencesPerEpoch / rows), 1, int.MaxValue);
        CheckSchedule(config, steps);
        return TrainingTask.Of(data, text => Trainee(config, checkpoint, text, observer), steps);
    }

    private static Trainee Trainee(FinetuneConfig config, string? checkpoint, InstructionData data, ITrainingObserver observer)
    {
        string folder = config.Base.Model!;
        if (config.Adapter.Type == AdapterKind.None)
        {
            string origin = checkpoint ?? folder;
            return new WholeModel(Fit(TrainingModel.Load(origin)), origin);
        }

        var model = Fit(TrainingModel.Load(folder, config.Base.Dtype == BaseDtype.Stored ? ComputePrecision.Native : ComputePrecision.F32));
        try
        {
            var adapted = new AdaptedModel(model, config, checkpoint, config.Wisca.Verify ? Probe : null);
            var summary = adapted.Summary;
            observer.Notice(string.Create(
                CultureInfo.InvariantCulture,
                $"an adapter of {summary.Modules} modules{(summary.SavedTensors > 0 ? $" and {summary.SavedTensors} whole tensors" : "")}: {summary.Trainable} of {summary.Total} elements train ({summary.Share:0.00%})"));
            return adapted;
        }
        catch
        {
            model.Dispose();
            throw;
        }

        Decoder Fit(Decoder loaded) => TrainingModel.Fit(loaded, data.Tokenizer, config.Data.SequenceLength, config.Precision, config.Device);

        double Probe()
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            return BatchGradients.Loss(model, data.Batches.Read(0, config.BatchSize)).Mean;
        }
    }

    /// <summary>What can be checked only when the number of steps is known.</summary>
    private static void CheckSchedule(FinetuneConfig config, int steps)
    {
        int warmup = config.Schedule.WarmupOf(steps);
        if (warmup > steps) throw new WiscaException($"schedule.warmup is {warmup} steps, but the run has {steps}", "lower schedule.warmup, or raise steps or epochs");
        if (config.Schedule.DecaySteps is { } decay && decay > steps - warmup)
            throw new WiscaException($"schedule.decay_steps is {decay}, but the run has {steps - warmup} steps after warm-up", "lower schedule.decay_steps, or raise steps or epochs");
        if (config.Wisca.At.Any(step => step > steps)) throw new WiscaException($"wisca.at names step {config.Wisca.At.Max()}, but the run has {steps}", "lower wisca.at, or raise steps or epochs");
    }
}
