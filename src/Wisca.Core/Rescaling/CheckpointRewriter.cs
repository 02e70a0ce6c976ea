using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>
/// Writes a checkpoint's weight files anew with some tensors scaled. Headers, names and everything untouched stay byte for byte.
/// Untouched ranges are copied by the kernel, on a thread of their own: that may begin before the factors are known.
/// </summary>
internal sealed class CheckpointRewriter : IDisposable
{
    private const long CopySize = 16 << 20;
    private readonly Checkpoint _checkpoint;
    private readonly IReadOnlySet<string> _touched;
    private readonly ProgressCounter _progress;
    private readonly Dictionary<SafetensorsFile, SafeFileHandle> _targets = [];
    private readonly ConcurrentDictionary<string, TensorDigests> _digests = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, LostElements> _lost = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, AxisStatistics> _statistics = new(StringComparer.Ordinal);

    /// <param name="checkpoint">The model that is read.</param>
    /// <param name="folder">Where its weight files are written.</param>
    /// <param name="touched">The tensors that may get factors.</param>
    /// <param name="progress">Told of the bytes that are written.</param>
    public CheckpointRewriter(Checkpoint checkpoint, string folder, IReadOnlySet<string> touched, ProgressCounter progress)
    {
        _checkpoint = checkpoint;
        _touched = touched;
        _progress = progress;
        foreach (var shard in checkpoint.Shards)
        {
            var target = File.OpenHandle(Path.Combine(folder, Path.GetFileName(shard.FullPath)), FileMode.CreateNew, FileAccess.ReadWrite);
            _targets.Add(shard, target);
            RandomAccess.SetLength(target, shard.Length);
        }
    }

    /// <summary>Digests of every scaled tensor.</summary>
    public SortedDictionary<string, TensorDigests> Digests => new(_digests, StringComparer.Ordinal);

    /// <summary>The elements that scaling rounded, where they were to be kept.</summary>
    public IReadOnlyList<LostElements> Lost => [.. _lost.Values.OrderBy(lost => lost.Tensor, StringComparer.Ordinal)];

    /// <summary>Measures of every scaled tensor as it was written.</summary>
    public IReadOnlyDictionary<string, AxisStatistics> Statistics => _statistics;

    /// <summary>Writes everything, and closes the files.</summary>
    /// <param name="solve">Finds the factors, with the number of threads it is given; called once, while untouched ranges are copied.</param>
    /// <param name="threads">Number of threads in all.</param>
    /// <param name="cancellation">Stops it.</param>
    public void Write(Func<int, IReadOnlyDictionary<string, TensorScale>> solve, int threads, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var copying = threads > 1 ? Task.Run(() => CopyUntouched(either.Token), either.Token) : null;
        try
        {
            var scales = solve(Math.Max(1, threads - 1));

            // Another shard than the one that is being copied: two writers of one file wait for each other.
            WriteTouched(scales, copying is { IsCompleted: false } ? threads - 1 : threads, cancellation);
        }
        catch
        {
            either.Cancel();
            if (copying is not null) Task.WhenAny(copying).GetAwaiter().GetResult();
            throw;
        }

        if (copying is null) CopyUntouched(cancellation);
        else copying.GetAwaiter().GetResult();
        Dispose();
    }

    public void Dispose()
    {
        foreach (var target in _targets.Values) target.Dispose();
    }

    private void CopyUntouched(CancellationToken cancellation)
    {
        foreach (var shard in _checkpoint.Shards)
        {
            long copied = 0;
            foreach (var tensor in shard.Header.Tensors.Where(tensor => _touched.Contains(tensor.Name)))
            {
                Copy(shard, copied, shard.DataOffset + tensor.Begin, cancellation);
                copied = shard.DataOffset + tensor.End;
            }

            Copy(shard, copied, shard.Length, cancellation);
        }
    }

    private void Copy(SafetensorsFile shard, long from, long to, CancellationToken cancellation)
    {
        for (; from < to; from += CopySize)
        {
            cancellation.ThrowIfCancellationRequested();
            long length = Math.Min(CopySize, to - from);
            KernelCopy.Copy(shard.Handle, _targets[shard], from, from, length);
            _progress.Add(length);
        }
    }

    private void WriteTouched(IReadOnlyDictionary<string, TensorScale> scales, int threads, CancellationToken cancellation)
    {
        ImmutableArray<StoredTensor> tensors =
        [
            .. from shard in _checkpoint.Shards.Reverse() from tensor in shard.Header.Tensors where _touched.Contains(tensor.Name) select new StoredTensor(shard, tensor),
        ];
        Workers.Run(
            tensors,
            threads,
            tensor =>
            {
                long begin = tensor.File.DataOffset + tensor.Info.Begin;
                if (scales.TryGetValue(tensor.Info.Name, out var scale)) Scale(new MatrixView(tensor, scale.Axis), scale, _targets[tensor.File], begin, cancellation);
                else Copy(tensor.File, begin, begin + tensor.Info.ByteLength, cancellation);
            },
            cancellation);
    }

    private void Scale(MatrixView matrix, TensorScale scale, SafeFileHandle target, long offset, CancellationToken cancellation)
    {
        string name = matrix.Tensor.Info.Name;
        var before = new XxHash128();
        var after = new XxHash128();
        var measurement = new AxisMeasurement(matrix.Dtype, matrix.ByRow ? 0 : 1, matrix.Length);
        var restored = scale.Restored is { } elements ? new Restoration(elements, matrix.Dtype.Bits() / 8) : null;
        var losses = scale.KeepLosses && scale.PowersOfTwo ? new LossRecorder(matrix.Dtype) : null;
        byte[] buffer = [];
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            cancellation.ThrowIfCancellationRequested();
            if (buffer.Length < rows.Block.Length) buffer = GC.AllocateUninitializedArray<byte>(rows.Block.Length);
            var scaled = buffer.AsSpan(0, rows.Block.Length);
            before.Append(rows.Block);
            for (int row = 0; row < rows.Count; row++)
            {
                var factors = matrix.ByRow ? scale.Factors.AsSpan(rows.First + row, 1) : scale.Factors;
                var to = scaled.Slice(row * matrix.RowBytes, matrix.RowBytes);
                Elements.Scale(matrix.Dtype, rows.Row(row), to, factors, scale.PowersOfTwo);
                losses?.Check(rows.Row(row), to, factors, (long)(rows.First + row) * matrix.Columns);
            }

            restored?.Apply(scaled, (long)rows.First * matrix.Columns);
            for (int row = 0; row < rows.Count; row++) measurement.AddRow(rows.First + row, scaled.Slice(row * matrix.RowBytes, matrix.RowBytes));
            after.Append(scaled);
            RandomAccess.Write(target, scaled, offset + ((long)rows.First * matrix.RowBytes));
            _progress.Add(scaled.Length);
        }

        _statistics[name] = measurement.ToStatistics(matrix.ElementsPerIndex);
        _digests[name] = new TensorDigests(Hex(before), Hex(after));
        if (losses?.ToElements(name) is { } lost) _lost[name] = lost;
    }

    internal static string Hex(XxHash128 hash) => Convert.ToHexStringLower(hash.GetCurrentHash());
}
