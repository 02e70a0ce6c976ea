using System.Collections.Concurrent;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>
/// Writes a checkpoint's weight files anew with some tensors scaled. Headers, names and everything untouched stay byte for byte;
/// untouched ranges are copied by the kernel, touched tensors go through one buffer per thread.
/// </summary>
internal sealed class CheckpointRewriter(Checkpoint checkpoint, IReadOnlyDictionary<string, TensorScale> scales, int threads)
{
    private const int BufferSize = 1 << 20;
    private const long CopySize = 64 << 20;
    private readonly ConcurrentDictionary<string, TensorDigests> _digests = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, LostElements> _lost = new(StringComparer.Ordinal);

    /// <summary>Digests of every scaled tensor.</summary>
    public SortedDictionary<string, TensorDigests> Digests => new(_digests, StringComparer.Ordinal);

    /// <summary>The elements that scaling rounded, where they were to be kept.</summary>
    public IReadOnlyList<LostElements> Lost => [.. _lost.Values.OrderBy(lost => lost.Tensor, StringComparer.Ordinal)];

    public void Write(string folder, IProgress<RescaleProgress>? progress, CancellationToken cancellation)
    {
        long total = checkpoint.Shards.Sum(shard => shard.Length), done = 0;
        foreach (var shard in checkpoint.Shards)
        {
            using var target = File.OpenHandle(Path.Combine(folder, Path.GetFileName(shard.FullPath)), FileMode.CreateNew, FileAccess.ReadWrite);
            RandomAccess.SetLength(target, shard.Length);
            Workers.Run(
                [.. Jobs(shard)],
                threads,
                job =>
                {
                    if (job.Scale is null) KernelCopy.Copy(shard.Handle, target, job.Offset, job.Offset, job.Length);
                    else Scale(new MatrixView(job.Tensor!, job.Scale.Axis), job.Scale, target, job.Offset, cancellation);
                    progress?.Report(new RescaleProgress(RescaleStage.Writing, Interlocked.Add(ref done, job.Length), total));
                },
                cancellation);
        }
    }

    private readonly record struct Job(long Offset, long Length, StoredTensor? Tensor, TensorScale? Scale);

    /// <summary>The file in order: runs of untouched bytes (the header is the first) and scaled tensors.</summary>
    private IEnumerable<Job> Jobs(SafetensorsFile shard)
    {
        long copied = 0;
        foreach (var tensor in shard.Header.Tensors)
        {
            if (!scales.TryGetValue(tensor.Name, out var scale)) continue;
            long begin = shard.DataOffset + tensor.Begin;
            foreach (var job in Copies(copied, begin)) yield return job;
            yield return new Job(begin, tensor.ByteLength, new StoredTensor(shard, tensor), scale);
            copied = begin + tensor.ByteLength;
        }

        foreach (var job in Copies(copied, shard.Length)) yield return job;

        static IEnumerable<Job> Copies(long from, long to)
        {
            for (; from < to; from += CopySize) yield return new Job(from, Math.Min(CopySize, to - from), null, null);
        }
    }

    private void Scale(MatrixView matrix, TensorScale scale, SafeFileHandle target, long offset, CancellationToken cancellation)
    {
        string name = matrix.Tensor.Info.Name;
        var before = new XxHash128();
        var after = new XxHash128();
        int rowBytes = matrix.RowBytes;
        int rowsAtOnce = Math.Max(1, BufferSize / Math.Max(1, rowBytes));
        byte[] buffer = GC.AllocateUninitializedArray<byte>(Math.Min(rowsAtOnce, matrix.Rows) * rowBytes);
        var restored = scale.Restored is { } elements ? new Restoration(elements, matrix.Dtype.Bits() / 8) : null;
        var losses = scale.KeepLosses && scale.PowersOfTwo ? new LossRecorder(matrix.Dtype) : null;
        for (int first = 0; first < matrix.Rows; first += rowsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            int rows = Math.Min(rowsAtOnce, matrix.Rows - first);
            var source = matrix.Tensor.Bytes((long)first * rowBytes, rows * rowBytes);
            var scaled = buffer.AsSpan(0, rows * rowBytes);
            before.Append(source);
            for (int row = 0; row < rows; row++)
            {
                var factors = matrix.ByRow ? scale.Factors.AsSpan(first + row, 1) : scale.Factors;
                var from = source.Slice(row * rowBytes, rowBytes);
                var to = scaled.Slice(row * rowBytes, rowBytes);
                Elements.Scale(matrix.Dtype, from, to, factors, scale.PowersOfTwo);
                losses?.Check(from, to, factors, (long)(first + row) * matrix.Columns);
            }

            restored?.Apply(scaled, (long)first * matrix.Columns);
            after.Append(scaled);
            RandomAccess.Write(target, scaled, offset + ((long)first * rowBytes));
        }

        _digests[name] = new TensorDigests(Hex(before), Hex(after));
        if (losses?.ToElements(name) is { } lost) _lost[name] = lost;
    }

    internal static string Hex(XxHash128 hash) => Convert.ToHexStringLower(hash.GetCurrentHash());
}
