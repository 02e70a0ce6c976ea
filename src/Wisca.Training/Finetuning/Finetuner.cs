using Wisca.Communication;
using Wisca.Training.Configuration;

namespace Wisca.Training.Finetuning;

/// <summary>Fine-tunes a model on instructions: an adapter on a frozen base, or the whole model.</summary>
public static class Finetuner
{
    /// <summary>Prepares a fine-tuning: its folder, base, data, adapter, optimizer, and where it goes on.</summary>
    /// <param name="config">The run.</param>
    /// <param name="resume">Where it begins.</param>
    /// <param name="observer">Told what happens.</param>
    /// <param name="cancellation">Stops the preparation.</param>
    /// <exception cref="WiscaException">Something that the configuration names is missing, broken or does not fit.</exception>
    public static Trainer Prepare(
        FinetuneConfig config, ResumeMode resume, ITrainingObserver observer, CancellationToken cancellation = default) =>
        Join(config, resume, observer, SingleProcess.Instance, cancellation);

    /// <summary>Prepares a fine-tuning that several processes do together.</summary>
    /// <param name="config">The run, the same on every rank.</param>
    /// <param name="resume">Where it begins.</param>
    /// <param name="observer">Told what happens, on rank 0.</param>
    /// <param name="ranks">The processes.</param>
    /// <param name="cancellation">Stops the preparation.</param>
    /// <exception cref="WiscaException">Something that the configuration names is missing, broken or does not fit.</exception>
    public static Trainer Join(
        FinetuneConfig config, ResumeMode resume, ITrainingObserver observer, ICommunicator ranks, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(resume);
        ArgumentNullException.ThrowIfNull(observer);
        ArgumentNullException.ThrowIfNull(ranks);
        return Trainer.Prepare(
            config, resume, observer, ranks, (_, checkpoint) => FinetuneTask.Prepare(config, checkpoint, observer, ranks, cancellation));
    }
}
