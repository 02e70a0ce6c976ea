using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Wisca.Tests;
using Wisca.Training.Logging;

namespace Wisca.Training.Tests.Logging;

public sealed class TensorBoardWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The vectors of RFC 3720, B.4, and the check value of the CRC catalogues.</summary>
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", 0x8A9136AAu)]
    [InlineData("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0x62A8AB43u)]
    [InlineData("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", 0x46DD794Eu)]
    [InlineData("1F1E1D1C1B1A191817161514131211100F0E0D0C0B0A09080706050403020100", 0x113FDB5Cu)]
    [InlineData("01C000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000", 0xD9963A56u)]
    [InlineData("313233343536373839", 0xE3069283u)]
    [InlineData("", 0u)]
    public void Checksum_KnownVectors_AreMet(string data, uint expected)
    {
        byte[] bytes = Convert.FromHexString(data.Replace(" ", "", StringComparison.Ordinal));
        RecordFraming.Checksum(bytes).ShouldBe(expected);
        ReferenceChecksum(bytes).ShouldBe(expected);
    }

    [Fact]
    public void Checksum_AnyData_IsThatOfTheBitwiseDefinition() =>
        Gen.Byte.Array[0, 100].Sample(data => RecordFraming.Checksum(data) == ReferenceChecksum(data), iter: 200);

    [Fact]
    public void Write_Everything_IsReadByAnotherReader()
    {
        string path;
        using (var writer = new TensorBoardWriter(_folder["events"], 0, new FixedClock(1767225600.25)))
        {
            path = writer.FilePath;
            writer.WriteScalars(300, [new("train/loss", 5.25), new("train/learning_rate", 1e-3), new("bad", double.NaN)]);
            writer.WriteText(301, "sample", "Once é\n\n**upon**");
            writer.WriteHistogram(302, "factors", [1, 2, 3, 4, float.NaN]);
            writer.WriteHistogram(303, "same", [2, 2]);
            writer.WriteHistogram(304, "nothing", [float.PositiveInfinity]);
            Read(path).Count.ShouldBe(5, "every event is there at once");
        }

        Path.GetFileName(path).ShouldBe($"events.out.tfevents.1767225600.{Environment.MachineName}");
        var events = Read(path);
        events.ShouldAllBe(entry => Number(entry, 1) == 1767225600.25);
        Text(events[0], 3).ShouldBe("brain.Event:2");
        events.Skip(1).Select(entry => (ulong)entry.Single(field => field.Number == 2).Value).ShouldBe([300ul, 301ul, 302ul, 303ul]);

        var scalars = Values(events[1]);
        scalars.Select(value => Text(value, 1)).ShouldBe(["train/loss", "train/learning_rate", "bad"]);
        scalars
            .Select(value => BitConverter.UInt32BitsToSingle((uint)(ulong)value.Single(field => field.Number == 2).Value))
            .ShouldBe([5.25f, 1e-3f, float.NaN]);

        var text = Values(events[2]).Single();
        Text(text, 1).ShouldBe("sample");
        Text(Message(Message(text, 9), 1), 1).ShouldBe("text");
        var tensor = Message(text, 8);
        ((ulong)tensor.Single(field => field.Number == 1).Value).ShouldBe(7ul, "DT_STRING");
        Text(tensor, 8).ShouldBe("Once é\n\n**upon**");

        var histogram = Message(Values(events[3]).Single(), 5);
        Enumerable.Range(1, 5).Select(field => Number(histogram, field)).ShouldBe([1, 4, 4, 10, 30]);
        double[] limits = Numbers(histogram, 6), counts = Numbers(histogram, 7);
        limits.Length.ShouldBe(counts.Length);
        limits.ShouldBe(limits.Order());
        limits[^1].ShouldBe(4);
        counts.Sum().ShouldBe(4);
        counts[0].ShouldBe(1);
        counts[^1].ShouldBe(1);
        Numbers(Message(Values(events[4]).Single(), 5), 7).Sum().ShouldBe(2);
    }

    [Fact]
    public void Create_AfterResume_TellsFromWhichStepAndTakesAnotherName()
    {
        using var first = new TensorBoardWriter(_folder["events"], 0, new FixedClock(5));
        using var second = new TensorBoardWriter(_folder["events"], 501, new FixedClock(5));
        second.FilePath.ShouldBe(first.FilePath + ".1");
        var start = Read(second.FilePath)[1];
        ((ulong)start.Single(field => field.Number == 2).Value).ShouldBe(501ul);
        ((ulong)Message(start, 7).Single(field => field.Number == 1).Value).ShouldBe(1ul, "START");
    }

    [Fact]
    public void Read_AnyByteChanged_IsNoticed()
    {
        using (var writer = new TensorBoardWriter(_folder["events"])) writer.WriteScalars(1, [new("a", 2)]);
        string path = Directory.GetFiles(_folder["events"]).Single();
        byte[] whole = File.ReadAllBytes(path);
        for (int index = 0; index < whole.Length; index++)
        {
            byte[] changed = [.. whole];
            changed[index] ^= 0x10;
            Should.Throw<InvalidDataException>(() => Records(changed));
        }
    }

    [Fact]
    public void Create_WhereAFileIs_IsRefused()
    {
        File.WriteAllText(_folder["file"], "");
        Should.Throw<WiscaException>(() => new TensorBoardWriter(_folder["file"])).Message.ShouldContain("events cannot be written");
    }

    // A reader of the test's own: framing, checksum and protobuf's wire format, without a line of the writer's code.
    private static List<List<Field>> Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] data = new byte[stream.Length];
        stream.ReadExactly(data);
        return [.. Records(data).Select(Fields)];
    }

    private static List<byte[]> Records(byte[] data)
    {
        var records = new List<byte[]>();
        for (int at = 0; at < data.Length;)
        {
            if (data.Length - at < 16) throw new InvalidDataException("torn");
            if (BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at + 8)) != Masked(data[at..(at + 8)]))
                throw new InvalidDataException("length");
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(at));
            byte[] record = data[(at + 12)..(at + 12 + length)];
            if (BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at + 12 + length)) != Masked(record))
                throw new InvalidDataException("data");
            records.Add(record);
            at += 16 + length;
        }

        return records;
    }

    private static uint Masked(byte[] data)
    {
        uint checksum = ReferenceChecksum(data);
        return unchecked(((checksum >> 15) | (checksum << 17)) + 0xa282ead8u);
    }

    private static uint ReferenceChecksum(byte[] data)
    {
        uint checksum = 0xFFFFFFFF;
        foreach (byte b in data)
        {
            checksum ^= b;
            for (int bit = 0; bit < 8; bit++) checksum = (checksum & 1) != 0 ? (checksum >> 1) ^ 0x82F63B78 : checksum >> 1;
        }

        return checksum ^ 0xFFFFFFFF;
    }

    private static List<Field> Fields(byte[] data)
    {
        var fields = new List<Field>();
        int at = 0;
        while (at < data.Length)
        {
            ulong tag = Varint();
            object value = (tag & 7) switch
            {
                0 => Varint(),
                1 => BinaryPrimitives.ReadUInt64LittleEndian(Take(8)),
                2 => Take((int)Varint()),
                5 => (ulong)BinaryPrimitives.ReadUInt32LittleEndian(Take(4)),
                _ => throw new InvalidDataException("wire type"),
            };
            fields.Add(new Field((int)(tag >> 3), value));
        }

        return fields;

        byte[] Take(int count)
        {
            at += count;
            return data[(at - count)..at];
        }

        ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = data[at++];
                value |= (ulong)(b & 127) << shift;
                if (b < 128) return value;
            }
        }
    }

    private static List<List<Field>> Values(List<Field> entry) =>
        [.. Message(entry, 5).Where(field => field.Number == 1).Select(field => Fields((byte[])field.Value))];

    private static List<Field> Message(List<Field> fields, int number) =>
        Fields((byte[])fields.Single(field => field.Number == number).Value);

    private static string Text(List<Field> fields, int number) =>
        Encoding.UTF8.GetString((byte[])fields.Single(field => field.Number == number).Value);

    private static double Number(List<Field> fields, int number) =>
        BitConverter.UInt64BitsToDouble((ulong)fields.Single(field => field.Number == number).Value);

    private static double[] Numbers(List<Field> fields, int number) =>
        [
            .. ((byte[])fields.Single(field => field.Number == number).Value)
                .Chunk(8)
                .Select(chunk => BinaryPrimitives.ReadDoubleLittleEndian(chunk)),
        ];

    private sealed record Field(int Number, object Value);
}
