using System.Buffers.Binary;
using CsCheck;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Safetensors;

public sealed class SafetensorsFileTests
{
    [Fact]
    public void WriterAndReader_AnyTensors_GiveBackEveryByte() =>
        Gen.Select(Gen.Byte.Array[0, 40].Array[0, 6], Gen.Int[1, 50]).Sample(
            (contents, piece) =>
            {
                using var folder = new TemporaryFolder();
                string path = folder["a.safetensors"];
                var header = SafetensorsHeader.Create(
                    contents.Select((bytes, index) => ($"t{index}", Dtype.U8, new long[] { bytes.Length })));
                byte[] all = [.. contents.SelectMany(bytes => bytes)];
                using (var writer = new SafetensorsWriter(path, header))
                {
                    foreach (byte[] chunk in all.Chunk(piece)) writer.Write(chunk);
                    writer.Complete();
                }

                using var file = SafetensorsFile.Open(path);
                file.Length.ShouldBe(file.DataOffset + all.Length);
                file.Header.Tensors.Select(tensor => Bytes(file, tensor)).ShouldBe(contents);
                File.ReadAllBytes(path).ShouldBe([.. header.ToBytes(), .. all]);
            },
            iter: 60);

    [Fact]
    public void Read_FileCutShortMeanwhile_IsAnError()
    {
        if (OperatingSystem.IsWindows()) return; // it does not let another program
        using var folder = new TemporaryFolder();
        var header = SafetensorsHeader.Create([("a", Dtype.U8, [1 << 16])]);
        using (var writer = new SafetensorsWriter(folder["a"], header))
        {
            writer.Write(new byte[1 << 16]);
            writer.Complete();
        }

        using var file = SafetensorsFile.Open(folder["a"]);
        file.CheckUnchanged();
        using (var other = new FileStream(folder["a"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) other.SetLength(5000);
        Should.Throw<WiscaException>(() => Bytes(file, header.Tensors[0])).Message.ShouldContain("shrank while it was read");
        Should.Throw<WiscaException>(file.CheckUnchanged).Message.ShouldBe("a was changed while it was read");
    }

    [Fact]
    public void CheckUnchanged_SameLengthOtherBytes_IsAnErrorAndAReplacementIsNot()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in (string[])["a", "b"])
        {
            using var writer = new SafetensorsWriter(folder[name], SafetensorsHeader.Create([("a", Dtype.U8, [4])]));
            writer.Write([1, 2, 3, 4]);
            writer.Complete();
        }

        File.SetLastWriteTimeUtc(folder["a"], DateTime.UtcNow.AddMinutes(-1));
        using var file = SafetensorsFile.Open(folder["a"]);
        if (!OperatingSystem.IsWindows())
        {
            using var replaced = SafetensorsFile.Open(folder["b"]);
            File.Copy(folder["a"], folder["c"]);
            File.Move(folder["c"], folder["b"], overwrite: true);
            replaced.CheckUnchanged();
        }

        using (var other = new FileStream(folder["a"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            other.Position = other.Length - 1;
            other.WriteByte(9);
        }

        Should.Throw<WiscaException>(file.CheckUnchanged).Message.ShouldContain("was changed while it was read");
    }

    private static byte[] Bytes(SafetensorsFile file, TensorInfo tensor) => file.Bytes(tensor, 0, (int)tensor.ByteLength);

    [Fact]
    public void Writer_TooFewOrTooManyBytes_Throws()
    {
        using var folder = new TemporaryFolder();
        using var writer = new SafetensorsWriter(folder["a"], SafetensorsHeader.Create([("a", Dtype.U8, [4])]));
        writer.Write([1, 2, 3]);
        Should.Throw<InvalidOperationException>(() => writer.Complete()).Message.ShouldContain("3 of 4");
        Should.Throw<InvalidOperationException>(() => writer.Write([4, 5]));
        writer.Write([4]);
        writer.Complete();
        Should.Throw<IOException>(() => new SafetensorsWriter(folder["a"], SafetensorsHeader.Create([])));
    }

    [Fact]
    public void Open_EveryRealFile_ReadsTheBytesThatTheHeaderPointsTo()
    {
        int files = 0;
        foreach (string folder in Directory.EnumerateDirectories(TestData.Require("fixtures"), "*", SearchOption.AllDirectories))
        {
            foreach (string path in Directory.EnumerateFiles(folder, "*.safetensors"))
            {
                using var file = SafetensorsFile.Open(path);
                using var copy = new TemporaryFolder();
                File.Copy(path, copy["a.safetensors"]);
                var expected = TestCheckpoint.Read(copy.FullPath);
                file.Header.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal).ShouldBe(expected.Keys);
                foreach (var tensor in file.Header.Tensors)
                {
                    file.Bytes(tensor, 0, (int)tensor.ByteLength).SequenceEqual(expected[tensor.Name].Bytes).ShouldBeTrue(tensor.Name);
                    tensor.Shape.ShouldBe(expected[tensor.Name].Shape);
                    tensor.Dtype.ToString().ShouldBe(expected[tensor.Name].Dtype);
                }

                files++;
            }
        }

        files.ShouldBeGreaterThan(20);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void Open_UpToSevenBytes_AreTooFew(int length)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a.safetensors"], new byte[length]);
        Message(folder["a.safetensors"]).ShouldBe($"a.safetensors: {length} bytes are too few for a safetensors file");
    }

    [Theory]
    [InlineData(100_000_001UL, "claims 100000001 bytes, the format allows 100000000")]
    [InlineData(ulong.MaxValue, "claims 18446744073709551615 bytes")]
    [InlineData(1UL << 63, "claims 9223372036854775808 bytes")]
    [InlineData(100_000_000UL, "claims 100000000 bytes, but the file has 2 after the length")]
    [InlineData(3UL, "claims 3 bytes, but the file has 2 after the length")]
    public void Open_HeaderLongerThanAllowed_IsRefused(ulong claimed, string expected)
    {
        using var folder = new TemporaryFolder();
        byte[] bytes = new byte[10];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, claimed);
        "{}"u8.CopyTo(bytes.AsSpan(8));
        File.WriteAllBytes(folder["a.safetensors"], bytes);
        Message(folder["a.safetensors"]).ShouldContain(expected);
    }

    [Fact]
    public void Open_HeaderOfExactlyTheLimit_IsRead()
    {
        using var folder = new TemporaryFolder();
        using (var stream = File.Create(folder["a.safetensors"]))
        {
            byte[] header = new byte[100_000_008];
            header.AsSpan(8).Fill((byte)' ');
            BinaryPrimitives.WriteInt64LittleEndian(header, 100_000_000);
            "{}"u8.CopyTo(header.AsSpan(8));
            stream.Write(header);
        }

        using var file = SafetensorsFile.Open(folder["a.safetensors"]);
        file.Header.Tensors.ShouldBeEmpty();
        file.DataOffset.ShouldBe(100_000_008);
    }

    [Fact]
    public void Open_LargeFilePointer_SaysHowToGetTheFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["a.safetensors"],
            "version https://git-lfs.github.com/spec/v1\noid "
            + "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n");
        Should.Throw<WiscaException>(() => SafetensorsFile.Open(folder["a.safetensors"])).Hint!.ShouldContain("git lfs pull");
    }

    [Fact]
    public void Open_WhatIsNoFile_SaysWhatItIs()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["folder"]);
        File.CreateSymbolicLink(folder["broken"], "nowhere");
        File.CreateSymbolicLink(folder["loop"], "loop");
        Message(folder["missing"]).ShouldEndWith("missing does not exist");
        Message(folder["missing", "a"]).ShouldEndWith("does not exist");
        Message(folder["folder"]).ShouldEndWith("folder is a folder, expected a file");
        Message(folder["broken"]).ShouldEndWith("broken is a link to nowhere, which does not exist");
        Message(folder["loop"]).ShouldContain("loop cannot be read: Too many levels of symbolic links");
        Message("/dev/null").ShouldContain("0 bytes are too few");
    }

    [Fact]
    public void Bytes_OutsideTheTensor_Throws()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(
            folder["a"],
            TestCheckpoint.File([new TestTensor("a", "U8", [4], [1, 2, 3, 4]), new TestTensor("b", "U8", [2], [5, 6])]));
        using var file = SafetensorsFile.Open(folder["a"]);
        var a = file.Header.Find("a")!;
        file.Bytes(a, 1, 2).ToArray().ShouldBe([2, 3]);
        file.Bytes(a, 4, 0).Length.ShouldBe(0);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Bytes(a, 1, 4).Length);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Bytes(a, -1, 1).Length);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Bytes(a, 0, -1).Length);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Bytes(a, long.MaxValue, 1).Length);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Bytes(a with { End = 1000 }, 900, 1).Length);
        file.Dispose();
        file.Dispose();
        Should.Throw<ObjectDisposedException>(() => file.Bytes(a, 0, 1).Length);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Open_DataThatIsNotAligned_IsReadAllTheSame(int spaces)
    {
        using var folder = new TemporaryFolder();
        byte[] data = ReferenceFloat.Bytes("F32", [1.5, -2]);
        File.WriteAllBytes(
            folder["a"],
            TestCheckpoint.File("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""" + new string(' ', spaces), data));
        using var file = SafetensorsFile.Open(folder["a"]);
        file.Bytes(file.Header.Tensors[0], 0, 8).ToArray().ShouldBe(data);
    }

    private static string Message(string path)
    {
        var exception = Should.Throw<WiscaException>(() => SafetensorsFile.Open(path));
        exception.Hint.ShouldNotBeNullOrEmpty();
        return exception.Message;
    }
}
