using System.Collections.Concurrent;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>
/// Writes the weight files of a checkpoint or an adapter anew with some tensors changed. Headers, names and everything untouched stay byte
/// for byte. Untouched ranges are copied by the kernel, on a thread of their own: that may begin before the factors are known.
/// </summary>
internal sealed class CheckpointRewriter : IDisposable
{
    private const long CopySize = 16 << 20;
    private static readonly double[] One = [1];
    private readonly IWeightFolder _checkpoint;
    private readonly IReadOnlySet<string> _touched;
    private readonly ProgressCounter _progress;
    private readonly Dictionary<SafetensorsFile, SafeFileHandle> _targets = [];
    private readonly IReadOnlyList<AppendedTensor> _appended;
    private readonly Dictionary<SafetensorsFile, SafetensorsHeader> _headers = [];
    private readonly ConcurrentDictionary<string, TensorDigests> _digests = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, LostElements> _lost = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Tensor, int Axis, int Parts), AxisStatistics> _statistics = new();

    // The thread that copied, writing with the others; waited for before the files are closed.
    private Task? _joining;

    /// <param name="checkpoint">The model or adapter that is read.</param>
    /// <param name="folder">Where its weight files are written.</param>
    /// <param name="touched">The tensors that may change.</param>
    /// <param name="progress">Told of the bytes that are written.</param>
    /// <param name="appended">Tensors that the last file gets behind its own; null for none.</param>
    public CheckpointRewriter(
        IWeightFolder checkpoint, string folder, IReadOnlySet<string> touched, ProgressCounter progress,
        IReadOnlyList<AppendedTensor>? appended = null)
    {
        _checkpoint = checkpoint;
        _touched = touched;
        _progress = progress;
        _appended = appended ?? [];
        if (_appended.Count > 0) _headers.Add(checkpoint.Shards[^1], Extended(checkpoint.Shards[^1]));
        foreach (var shard in checkpoint.Shards)
        {
            var target = File.OpenHandle(Path.Combine(folder, Path.GetFileName(shard.FullPath)), FileMode.CreateNew, FileAccess.ReadWrite);
            _targets.Add(shard, target);
            RandomAccess.SetLength(target, Offset(shard) + shard.Length - shard.DataOffset + AppendedTo(shard).Sum(Size));
            if (_headers.TryGetValue(shard, out var header)) RandomAccess.Write(target, header.ToBytes(), 0);
        }

        IEnumerable<AppendedTensor> AppendedTo(SafetensorsFile shard) => _headers.ContainsKey(shard) ? _appended : [];
    }

    private static long Size(AppendedTensor tensor) => tensor.Model.Info.ByteLength;

    private SafetensorsHeader Extended(SafetensorsFile shard) =>
        SafetensorsHeader.Create(
            shard.Header.Tensors.Select(info => (info.Name, info.Dtype, info.Shape.ToArray()))
                .Concat(_appended.Select(tensor => (tensor.Name, tensor.Model.Info.Dtype, tensor.Model.Info.Shape.ToArray()))),
            shard.Header.Metadata.Count > 0 ? shard.Header.Metadata : null);

    /// <summary>Where a file's data begins as it is written.</summary>
    private long Offset(SafetensorsFile shard) =>
        _headers.TryGetValue(shard, out var header) ? header.ToBytes().Length : shard.DataOffset;

    /// <summary>Digests of every changed tensor.</summary>
    public SortedDictionary<string, TensorDigests> Digests => new(_digests, StringComparer.Ordinal);

    /// <summary>The elements that scaling rounded, where they were to be kept.</summary>
    public IReadOnlyList<LostElements> Lost => [.. _lost.Values.OrderBy(lost => lost.Tensor, StringComparer.Ordinal)];

    /// <summary>Measures of every scaled tensor as it was written, along each axis that has factors.</summary>
    public IReadOnlyDictionary<(string Tensor, int Axis, int Parts), AxisStatistics> Statistics => _statistics;

    /// <summary>Writes everything, and closes the files.</summary>
    /// <param name="solve">Finds what becomes of the tensors, with the number of threads it is given;
    /// called once, while untouched ranges are copied.</param>
    /// <param name="threads">Number of threads in all.</param>
    /// <param name="cancellation">Stops it.</param>
    public void Write(Func<int, IReadOnlyDictionary<string, TensorEdit>> solve, int threads, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var copying = threads > 1 ? Task.Run(() => CopyUntouched(either.Token), either.Token) : null;
        try
        {
            var edits = solve(Math.Max(1, threads - 1));

            // From the last shard on, as copying goes from the first: two writers of one file wait for each other.
            WriteTouched(edits, threads, copying, either.Token);
        }
        catch
        {
            either.Cancel();
            foreach (var task in new[] { copying, _joining }.OfType<Task>()) Task.WhenAny(task).GetAwaiter().GetResult();
            throw;
        }

        if (copying is null) CopyUntouched(cancellation);
        foreach (var shard in _checkpoint.Shards) shard.CheckUnchanged();
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
            // A file that gets tensors has its header already.
            long copied = _headers.ContainsKey(shard) ? shard.DataOffset : 0;
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
        long shift = Offset(shard) - shard.DataOffset;
        for (; from < to; from += CopySize)
        {
            cancellation.ThrowIfCancellationRequested();
            long length = Math.Min(CopySize, to - from);
            KernelCopy.Copy(shard.Handle, _targets[shard], from, from + shift, length);
            _progress.Add(length);
        }
    }

    /// <summary>Writes the touched tensors on all threads but the one that copies, which joins them when it has done that.</summary>
    private void WriteTouched(
        IReadOnlyDictionary<string, TensorEdit> edits, int threads, Task? copying, CancellationToken cancellation)
    {
        var tensors = new ConcurrentQueue<StoredTensor>(
            from shard in _checkpoint.Shards.Reverse()
            from tensor in shard.Header.Tensors
            where _touched.Contains(tensor.Name)
            select new StoredTensor(shard, tensor));
        _joining = copying?.ContinueWith(
            _ => WriteNext(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        int others = copying is null ? threads : threads - 1;
        Workers.Run([.. Enumerable.Range(0, others)], others, _ => WriteNext(), cancellation);
        copying?.GetAwaiter().GetResult();
        _joining?.GetAwaiter().GetResult();
        foreach (var tensor in _appended)
        {
            var (shard, header) = _headers.Single();
            Rewrite(
                new MatrixView(tensor.Model, 0), tensor.Name, tensor.Edit, _targets[shard], Offset(shard) + header.Find(tensor.Name)!.Begin,
                cancellation);
        }

        void WriteNext()
        {
            try
            {
                while (tensors.TryDequeue(out var tensor)) WriteTouched(tensor, edits.GetValueOrDefault(tensor.Info.Name), cancellation);
            }
            catch
            {
                // The others stop too.
                tensors.Clear();
                throw;
            }
        }
    }

    private void WriteTouched(StoredTensor tensor, TensorEdit? edit, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (edit is not null)
        {
            Rewrite(
                new MatrixView(tensor, edit.Axis), tensor.Info.Name, edit, _targets[tensor.File], Offset(tensor.File) + tensor.Info.Begin,
                cancellation);
            return;
        }

        long begin = tensor.File.DataOffset + tensor.Info.Begin;
        Copy(tensor.File, begin, begin + tensor.Info.ByteLength, cancellation);
    }

    private void Rewrite(
        MatrixView matrix, string name, TensorEdit edit, SafeFileHandle target, long offset, CancellationToken cancellation)
    {
        var before = new XxHash128();
        var after = new XxHash128();
        var scale = edit as TensorScale;
        (int Axis, int Parts, AxisMeasurement Measurement)[] measurements =
        [
            .. (scale?.Axes(matrix) ?? []).Select(along => (
                along.Axis, along.Parts,
                new AxisMeasurement(
                    matrix.Dtype, IsByRow(along.Axis) ? 0 : 1, IsByRow(along.Axis) ? matrix.Rows : matrix.Columns * along.Parts))),
        ];
        var restored = scale?.Restored?.Invoke();
        var losses = scale is { KeepLosses: true, PowersOfTwo: true } ? new LossRecorder(matrix, scale.Inverse()) : null;
        byte[] buffer = [];
        double[] values = new double[matrix.Columns];
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            cancellation.ThrowIfCancellationRequested();
            if (buffer.Length < rows.Block.Length) buffer = GC.AllocateUninitializedArray<byte>(rows.Block.Length);
            var changed = buffer.AsSpan(0, rows.Block.Length);
            before.Append(rows.Block);
            for (int row = 0; row < rows.Count; row++)
            {
                var to = changed.Slice(row * matrix.RowBytes, matrix.RowBytes);
                edit.Apply(matrix, rows.First + row, rows.Row(row), to);
                losses?.Check(rows.First + row, rows.Row(row), to);
            }

            restored?.Apply(changed, (long)rows.First * matrix.Columns);
            for (int row = 0; measurements.Length > 0 && row < rows.Count; row++)
                Measure(rows.First + row, changed.Slice(row * matrix.RowBytes, matrix.RowBytes));
            after.Append(changed);
            RandomAccess.Write(target, changed, offset + ((long)rows.First * matrix.RowBytes));
            _progress.Add(changed.Length);
        }

        edit.Complete();
        foreach (var (axis, parts, measurement) in measurements)
            _statistics[(name, axis, parts)] = measurement.ToStatistics(IsByRow(axis) ? matrix.Columns : matrix.Rows / parts);
        if (_checkpoint.Find(name) is not null) _digests[name] = new TensorDigests(Hex(before), Hex(after));
        if (losses?.ToElements(name) is { } lost) _lost[name] = lost;

        bool IsByRow(int axis) => axis == 0 && matrix.Tensor.Info.Shape.Length > 1;

        void Measure(int row, Span<byte> written)
        {
            foreach (var (axis, parts, measurement) in measurements)
            {
                if (parts == 1 && !scale!.Factors.AddsOne)
                {
                    measurement.AddRow(row, written);
                    continue;
                }

                Elements.Decode(matrix.Dtype, written, values);
                measurement.AddRow(row, values, row / (matrix.Rows / parts) * matrix.Columns, One, scale!.Factors.AddsOne ? 1 : 0);
            }
        }
    }

    internal static string Hex(XxHash128 hash) => Convert.ToHexStringLower(hash.GetCurrentHash());
}
