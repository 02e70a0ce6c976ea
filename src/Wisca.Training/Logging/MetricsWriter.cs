using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Files;

namespace Wisca.Training.Logging;

/// <summary>
/// Appends to a JSONL file, one object a line: <c>{"step":10,"time":1767225600.5,"train/loss":5.25}</c>, the time in seconds since 1970.
/// A line is written at once and reaches the system before <see cref="Write"/> returns, so a killed run loses none; a last line that was
/// torn all the same (full disk, power cut) is dropped when the file is opened again.
/// </summary>
internal sealed class MetricsWriter : IDisposable
{
    private readonly FileStream _stream;
    private readonly TimeProvider _clock;

    private MetricsWriter(FileStream stream, TimeProvider clock) => (_stream, _clock) = (stream, clock);

    /// <summary>Length of the file in bytes.</summary>
    public long Position => _stream.Position;

    /// <summary>Opens a file to append to, and cuts off what a resumed run will write again.</summary>
    /// <param name="path">The file; it is created where it does not exist.</param>
    /// <param name="lastStep">The last step whose lines stay; -1 to begin anew.</param>
    /// <param name="clock">The clock; null for the system's.</param>
    /// <exception cref="WiscaException">The file cannot be opened, or a line before the last is not one of a metrics file.</exception>
    public static MetricsWriter Open(string path, long lastStep, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            // Without a buffer of its own the stream hands every line to the system as it is.
            var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            try
            {
                long kept = lastStep < 0 ? 0 : Kept(stream, path, lastStep);
                stream.SetLength(kept);
                stream.Position = kept;
                return new MetricsWriter(stream, clock ?? TimeProvider.System);
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"{path} {FileFailure.Reason(path, exception)}", "it holds the run's metrics; is another run writing to it?", exception);
        }
    }

    /// <summary>Writes numbers. Those that are not finite, which JSON does not have, become the text NaN, Infinity or -Infinity.</summary>
    /// <param name="step">The step.</param>
    /// <param name="metrics">Names and values.</param>
    public void Write(long step, IEnumerable<KeyValuePair<string, double>> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        WriteRecord(
            step,
            metrics.Select(metric =>
                KeyValuePair.Create<string, JsonNode?>(
                    metric.Key,
                    double.IsFinite(metric.Value)
                        ? metric.Value
                        : metric.Value.ToString("R", System.Globalization.CultureInfo.InvariantCulture))));
    }

    /// <summary>Writes values of any kind, all on one line.</summary>
    /// <param name="step">The step.</param>
    /// <param name="values">Names and values.</param>
    public void WriteRecord(long step, IEnumerable<KeyValuePair<string, JsonNode?>> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var line = new JsonObject { [MetricNames.Step] = step, [MetricNames.Time] = _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0 };
        foreach (var (name, value) in values) line.Add(name, value);
        _stream.Write(Encoding.UTF8.GetBytes(line.ToJsonString() + "\n"));
    }

    /// <summary>Brings every line to the disk, before a checkpoint that counts on them.</summary>
    public void Flush() => AtomicFile.Flush(_stream);

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    /// <summary>Length of the file's lines up to a step.</summary>
    private static long Kept(FileStream stream, string path, long lastStep)
    {
        byte[] text = new byte[stream.Length];
        stream.ReadExactly(text);
        int start = 0;
        for (int number = 1; start < text.Length; number++)
        {
            int length = text.AsSpan(start).IndexOf((byte)'\n');
            if (length < 0) return start;
            if (Step(text.AsMemory(start, length)) is not { } step)
            {
                if (start + length + 1 == text.Length) return start;
                throw new WiscaException(
                    $"{path}:{number} is not a line of a metrics file, expected a JSON object with a step",
                    "move the file away to begin a new one");
            }

            if (step > lastStep) return start;
            start += length + 1;
        }

        return start;
    }

    private static long? Step(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty(MetricNames.Step, out var step)
                && step.ValueKind == JsonValueKind.Number && step.TryGetInt64(out long number) ? number : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
