using System.Globalization;
using Wisca.Checkpoints;
using Wisca.Communication;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Training.Batches;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using static TorchSharp.torch;

namespace Wisca.Training.Finetuning;

/// <summary>Makes what a fine-tuning trains, and on what.</summary>
internal static class FinetuneTask
{
    public static TrainingTask Prepare(
        FinetuneConfig config, string? checkpoint, ITrainingObserver observer, ICommunicator ranks, CancellationToken cancellation)
    {
        string folder = BaseOf(config);
        TorchRuntime.Require();
        string? digest = config.Adapter.Type == AdapterKind.Lora ? DigestOf(folder, checkpoint) : null;
        var tokenizer = TokenizerLoader.Load(config.Base.Tokenizer ?? folder);
        var data = InstructionData.Prepare(config, tokenizer, observer.Notice, cancellation);
        int steps = StepsOf(config, data.Batches.SequencesPerEpoch);
        return TrainingTask.Of(data, text => Trainee(config, digest, checkpoint, text, observer, ranks), steps);
    }

    /// <summary>The folder of the base.</summary>
    public static string BaseOf(FinetuneConfig config) =>
        config.Base.Model
        ?? throw new WiscaException(
            "base.model names no model",
            "name the folder of the model to fine-tune: base: {model: DIR}, or --set base.model=DIR");

    /// <summary>Number of steps of a run, given the rows of an epoch; its schedule is checked against it.</summary>
    public static int StepsOf(FinetuneConfig config, long rowsPerEpoch)
    {
        long rows = (long)config.BatchSize * config.Accumulation;
        int steps = config.Steps ?? (int)Math.Clamp(Math.Ceiling(config.Epochs * rowsPerEpoch / rows), 1, int.MaxValue);
        CheckSchedule(config, steps);
        return steps;
    }

    /// <summary>Digest of the base, which must be that of the checkpoint that is resumed.</summary>
    private static string DigestOf(string folder, string? checkpoint)
    {
        using var model = Checkpoint.Open(folder);
        string digest = ModelDigest.Of(model);
        if (checkpoint is not null && TrainingState.Load(checkpoint).Base is { } begun && begun != digest)
            throw new WiscaException(
                $"base.model {folder} is not the model that {checkpoint} was trained on: its weights or its config.json differ",
                "name that model with base.model, or begin anew with --resume never");
        return digest;
    }

    /// <summary>Makes what trains: an adapter on a base of that digest, or the whole model where it is null.</summary>
    private static Trainee Trainee(
        FinetuneConfig config, string? digest, string? checkpoint, InstructionData data, ITrainingObserver observer, ICommunicator ranks)
    {
        string folder = config.Base.Model!;
        if (digest is null)
        {
            string origin = checkpoint ?? folder;
            return new WholeModel(Fit(TrainingModel.Load(origin)), origin);
        }

        var model = Fit(TrainingModel.Load(folder, config.Base.Dtype == BaseDtype.Stored ? ComputePrecision.Native : ComputePrecision.F32));
        try
        {
            var adapted = new AdaptedModel(model, config, checkpoint, config.Wisca.Verify ? Probe : null, digest);
            var summary = adapted.Summary;
            observer.Notice(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"an adapter of {summary.Modules} "
                    + $"modules{(summary.SavedTensors > 0 ? $" and {summary.SavedTensors} whole tensors" : "")}: {summary.Trainable} of "
                    + $"{summary.Total} elements train ({summary.Share:0.00%})"));
            return adapted;
        }
        catch
        {
            model.Dispose();
            throw;
        }

        Decoder Fit(Decoder loaded) =>
            TrainingModel.Fit(loaded, data.Tokenizer, config.Data.SequenceLength, config.Precision, config.Device, ranks);

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
        if (warmup > steps)
            throw new WiscaException(
                $"schedule.warmup is {warmup} steps, but the run has {steps}",
                "lower schedule.warmup, or raise steps or epochs");
        if (config.Schedule.DecaySteps is { } decay && decay > steps - warmup)
            throw new WiscaException(
                $"schedule.decay_steps is {decay}, but the run has {steps - warmup} steps after warm-up",
                "lower schedule.decay_steps, or raise steps or epochs");
        if (config.Wisca.At.Any(step => step > steps))
            throw new WiscaException(
                $"wisca.at names step {config.Wisca.At.Max()}, but the run has {steps}",
                "lower wisca.at, or raise steps or epochs");
    }
}
