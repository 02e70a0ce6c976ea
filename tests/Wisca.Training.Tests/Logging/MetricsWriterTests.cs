using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Tests;
using Wisca.Training.Logging;

namespace Wisca.Training.Tests.Logging;

public sealed class MetricsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string FilePath => _folder["metrics.jsonl"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_Numbers_IsOneObjectALineAndThereAtOnce()
    {
        using var writer = MetricsWriter.Open(FilePath, -1, new FixedClock(1767225600.5));
        writer.Write(10, Metrics(("train/loss", 5.25), ("x", 0.1)));
        writer.Write(20, Metrics(("train/loss", double.NaN), ("x", double.NegativeInfinity)));
        writer.WriteRecord(20, [new("transition", new JsonObject { ["layer"] = 1, ["text"] = "a\nb" })]);
        Lines().ShouldBe(
        [
            """{"step":10,"time":1767225600.5,"train/loss":5.25,"x":0.1}""",
            """{"step":20,"time":1767225600.5,"train/loss":"NaN","x":"-Infinity"}""",
            """{"step":20,"time":1767225600.5,"transition":{"layer":1,"text":"a\nb"}}""",
        ]);
        writer.Position.ShouldBe(new FileInfo(FilePath).Length);
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 1)]
    [InlineData(25, 4)]
    [InlineData(30, 5)]
    [InlineData(99, 5)]
    public void Open_AfterAStep_CutsOffWhatCameLater(long lastStep, int kept)
    {
        WriteSteps(0, 10, 20, 20, 30);
        string[] before = Lines();
        using (var writer = MetricsWriter.Open(FilePath, lastStep)) writer.Write(31, Metrics(("x", 1)));
        Lines().Take(kept).ShouldBe(before.Take(kept));
        Lines().Length.ShouldBe(kept + 1);
    }

    [Fact]
    public void Open_AnyTornLastLine_DropsIt()
    {
        WriteSteps(0, 10, 20);
        byte[] whole = File.ReadAllBytes(FilePath);
        int two = whole.AsSpan(0, whole.Length - 1).LastIndexOf((byte)'\n') + 1;
        for (int length = two; length < whole.Length; length++)
        {
            File.WriteAllBytes(FilePath, whole[..length]);
            using (MetricsWriter.Open(FilePath, 20)) { }
            File.ReadAllBytes(FilePath).ShouldBe(whole[..two]);
        }

        // A power cut may leave a block of zeros with a line's length.
        File.WriteAllBytes(FilePath, [.. whole, 0, 0, 0, (byte)'\n']);
        using (MetricsWriter.Open(FilePath, 20)) { }
        File.ReadAllBytes(FilePath).ShouldBe(whole);
    }

    [Fact]
    public void Open_BrokenLineInTheMiddle_IsRefusedAndLeftAsItIs()
    {
        File.WriteAllText(FilePath, "{\"step\":1}\nnot json\n{\"step\":2}\n");
        Should.Throw<WiscaException>(() => MetricsWriter.Open(FilePath, 5)).Message.ShouldContain("metrics.jsonl:2");
        new FileInfo(FilePath).Length.ShouldBe(31);
        using (MetricsWriter.Open(FilePath, -1)) { }
        new FileInfo(FilePath).Length.ShouldBe(0);
    }

    [Fact]
    public void Open_FolderInItsPlace_IsRefused() =>
        Should.Throw<WiscaException>(() => MetricsWriter.Open(_folder.FullPath, 0)).Message.ShouldContain("is a folder");

    private static IEnumerable<KeyValuePair<string, double>> Metrics(params (string Name, double Value)[] values) =>
        values.Select(value => KeyValuePair.Create(value.Name, value.Value));

    private void WriteSteps(params long[] steps)
    {
        using var writer = MetricsWriter.Open(FilePath, -1);
        foreach (long step in steps) writer.Write(step, Metrics(("x", step)));
    }

    private string[] Lines()
    {
        using var stream = new FileStream(FilePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        string text = reader.ReadToEnd();
        text.ShouldEndWith("\n");
        string[] lines = text[..^1].Split('\n');
        foreach (string line in lines) JsonDocument.Parse(line).Dispose();
        return lines;
    }
}
