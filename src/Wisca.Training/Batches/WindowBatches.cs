using Wisca.Data.Corpora;

namespace Wisca.Training.Batches;

/// <summary>Batches of windows of a token file, each target the token that follows.</summary>
internal sealed class WindowBatches(TokenFile file, int length, long seed) : IBatchSource
{
    private readonly WindowSampler _sampler = new(file, length, seed);
    private readonly long[] _window = new long[length + 1];

    public long SequencesPerEpoch => _sampler.WindowsPerEpoch;

    public TrainingBatch Read(long position, int sequences)
    {
        long[] ids = new long[sequences * length], targets = new long[sequences * length];
        for (int sequence = 0; sequence < sequences; sequence++)
        {
            _sampler.Read(position + sequence, _window);
            _window.AsSpan(0, length).CopyTo(ids.AsSpan(sequence * length));
            _window.AsSpan(1).CopyTo(targets.AsSpan(sequence * length));
        }

        return new TrainingBatch(ids, targets, sequences);
    }
}
