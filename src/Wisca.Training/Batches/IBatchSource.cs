
namespace Wisca.Training.Batches;

/// <summary>Where training batches come from: a pure function of the position, so that a resumed run goes on where it was.</summary>
internal interface IBatchSource
{
    /// <summary>Number of sequences of one pass over the data.</summary>
    long SequencesPerEpoch { get; }

    /// <summary>The batch that begins at a position.</summary>
    /// <param name="position">Number of sequences drawn before.</param>
    /// <param name="sequences">Number of sequences.</param>
    TrainingBatch Read(long position, int sequences);
}
