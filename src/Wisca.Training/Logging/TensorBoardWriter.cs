using Google.Protobuf;
using Tensorboard;
using Wisca.Files;

namespace Wisca.Training.Logging;

/// <summary>Writes an event file that TensorBoard reads: <c>events.out.tfevents.TIME.HOST</c>.
/// Every event reaches the system at once.</summary>
internal sealed class TensorBoardWriter : IDisposable
{
    private const int Buckets = 30;
    private readonly FileStream _stream;
    private readonly TimeProvider _clock;

    /// <summary>Begins a new event file.</summary>
    /// <param name="folder">The folder; it is created where it does not exist.</param>
    /// <param name="firstStep">The first step that will be written: TensorBoard drops events of earlier files from there on, which a
    /// resumed run writes again.</param>
    /// <param name="clock">The clock; null for the system's.</param>
    /// <exception cref="WiscaException">The file cannot be written.</exception>
    public TensorBoardWriter(string folder, long firstStep = 0, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        _clock = clock ?? TimeProvider.System;
        try
        {
            Directory.CreateDirectory(folder);
            _stream = Create(folder, $"events.out.tfevents.{_clock.GetUtcNow().ToUnixTimeSeconds():0000000000}.{Environment.MachineName}");
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"events cannot be written to {folder}: {exception.Message}", "choose another folder, or logging.tensorboard: false",
                exception);
        }

        Write(new Event { FileVersion = "brain.Event:2" });
        if (firstStep > 0)
            Write(
                new Event
                {
                    Step = firstStep,
                    SessionLog = new SessionLog { Status = SessionLog.Types.SessionStatus.Start },
                });
    }

    /// <summary>Path of the event file.</summary>
    public string FilePath => _stream.Name;

    /// <summary>Writes numbers.</summary>
    /// <param name="step">The step.</param>
    /// <param name="metrics">Names and values; what stands before a slash groups them.</param>
    public void WriteScalars(long step, IEnumerable<KeyValuePair<string, double>> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        var summary = new Summary();
        summary.Value.AddRange(metrics.Select(metric => new Summary.Types.Value { Tag = metric.Key, SimpleValue = (float)metric.Value }));
        Write(new Event { Step = step, Summary = summary });
    }

    /// <summary>Writes text, which TensorBoard shows as Markdown.</summary>
    /// <param name="step">The step.</param>
    /// <param name="name">Its name.</param>
    /// <param name="text">The text.</param>
    public void WriteText(long step, string name, string text)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(text);
        var tensor = new TensorProto
        {
            Dtype = DataType.DtString,
            TensorShape = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dim { Size = 1 } } },
        };
        tensor.StringVal.Add(ByteString.CopyFromUtf8(text));
        WriteValue(step, new Summary.Types.Value
        {
            Tag = name,
            Metadata = new SummaryMetadata { PluginData = new SummaryMetadata.Types.PluginData { PluginName = "text" } },
            Tensor = tensor,
        });
    }

    /// <summary>Writes how values are distributed, in buckets of equal width.</summary>
    /// <param name="step">The step.</param>
    /// <param name="name">Its name.</param>
    /// <param name="values">The values; those that are not finite are left out.</param>
    public void WriteHistogram(long step, string name, ReadOnlySpan<float> values)
    {
        ArgumentNullException.ThrowIfNull(name);
        var histogram = new HistogramProto { Min = double.MaxValue, Max = double.MinValue };
        foreach (float value in values)
        {
            if (!float.IsFinite(value)) continue;
            histogram.Min = Math.Min(histogram.Min, value);
            histogram.Max = Math.Max(histogram.Max, value);
            histogram.Num++;
            histogram.Sum += value;
            histogram.SumSquares += (double)value * value;
        }

        if (histogram.Num == 0) return;
        double width = (histogram.Max - histogram.Min) / Buckets;
        double[] counts = new double[Buckets];
        foreach (float value in values)
        {
            if (float.IsFinite(value)) counts[width > 0 ? Math.Min(Buckets - 1, (int)((value - histogram.Min) / width)) : 0]++;
        }

        // A bucket is named by its upper limit.
        for (int bucket = 0; bucket < Buckets; bucket++)
            histogram.BucketLimit.Add(bucket == Buckets - 1 ? histogram.Max : histogram.Min + (width * (bucket + 1)));
        histogram.Bucket.AddRange(counts);
        WriteValue(step, new Summary.Types.Value { Tag = name, Histo = histogram });
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private static FileStream Create(string folder, string name)
    {
        for (int attempt = 0; ; attempt++)
        {
            string path = Path.Combine(folder, attempt == 0 ? name : $"{name}.{attempt}");
            if (!File.Exists(path)) return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
    }

    private void WriteValue(long step, Summary.Types.Value value) =>
        Write(
            new Event
            {
                Step = step,
                Summary = new Summary { Value = { value } },
            });

    private void Write(Event entry)
    {
        entry.WallTime = _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
        _stream.Write(RecordFraming.Frame(entry.ToByteArray()));
    }
}
