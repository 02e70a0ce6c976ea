using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>Broken input through the real command line: exit 1, one line, nothing written, nothing touched.</summary>
public sealed class MalformedInputTests
{
    public static TheoryData<string> Names() => [.. MalformedCorpus.Cases.Keys];

    public static TheoryData<string, int> Truncations()
    {
        byte[] file = WholeFile(out var boundaries);
        var data = new TheoryData<string, int>();
        foreach (var (what, length) in boundaries)
        {
            if (length < file.Length) data.Add(what, length);
        }

        return data;
    }

    [Fact]
    public void Corpus_IsLargeEnough()
    {
        MalformedCorpus.Cases.Count.ShouldBeGreaterThan(130);
        Truncations().Count.ShouldBeGreaterThan(50);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Run_BrokenFolder_FailsWithOneLineAndLeavesNothing(string name)
    {
        using var folder = new TemporaryFolder();
        MalformedCorpus.Model.Write(folder["model"]);
        var broken = MalformedCorpus.Cases[name];
        broken.Break(folder["model"]);
        await Fails(folder, broken);
    }

    [Theory]
    [MemberData(nameof(Truncations))]
    public async Task Run_FileCutShort_FailsWithOneLineAndLeavesNothing(string what, int length)
    {
        using var folder = new TemporaryFolder();
        MalformedCorpus.Model.Write(folder["model"]);
        using (var stream = File.OpenWrite(folder["model", TestCheckpoint.Weights])) stream.SetLength(length);
        await Fails(
            folder,
            new MalformedCase(
                what.StartsWith("tensor", StringComparison.Ordinal) ? "model.safetensors: tensor '" : "model.safetensors: ",
                _ => { }));
    }

    /// <summary>The unbroken folder passes, so that the failures above are due to what was broken.</summary>
    [Fact]
    public async Task Run_WholeFolder_Succeeds()
    {
        using var folder = new TemporaryFolder();
        MalformedCorpus.Model.Write(folder["model"]);
        var inspect = await CommandRun.RunAsync("inspect", folder["model"]);
        (inspect.ExitCode, inspect.Error).ShouldBe((0, ""));
        var rescale = await CommandRun.RunAsync("rescale", folder["model"], "--out", folder["out"]);
        (rescale.ExitCode, rescale.Error).ShouldBe((0, ""));
        WholeFile(out var boundaries).ShouldBe(File.ReadAllBytes(folder["model", TestCheckpoint.Weights]));
        boundaries[^1].Length.ShouldBe(WholeFile(out _).Length);
    }

    private static async Task Fails(TemporaryFolder folder, MalformedCase broken)
    {
        string[] before = Snapshot(folder.FullPath);
        var run = await CommandRun.RunAsync("rescale", folder["model"], "--out", folder["out"]);
        run.ShouldFail(broken.Expected);
        run.ErrorLines[0].ShouldContain(broken.Named);
        Snapshot(folder.FullPath).ShouldBe(before);
        if (!broken.Inspect) return;
        (await CommandRun.RunAsync("inspect", folder["model"], "--json")).ShouldFail(broken.Expected);
        Snapshot(folder.FullPath).ShouldBe(before);
    }

    /// <summary>Everything below a folder: names, links and contents.</summary>
    private static string[] Snapshot(string folder) =>
    [
        .. Directory
            .EnumerateFileSystemEntries(
                folder,
                "*",
                new EnumerationOptions
                {
                    RecurseSubdirectories = true,
                    AttributesToSkip = FileAttributes.ReparsePoint,
                    MaxRecursionDepth = 5,
                })
            .Order(StringComparer.Ordinal).Select(path => Directory.Exists(path) ? path : $"{path} {Content(path)}"),
        .. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.TopDirectoryOnly),
    ];

    private static string Content(string path)
    {
        try
        {
            return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)));
        }
        catch (UnauthorizedAccessException)
        {
            return "unreadable";
        }
    }

    /// <summary>A whole file, and every place where something ends in it or is half way.</summary>
    private static byte[] WholeFile(out List<(string What, int Length)> boundaries)
    {
        byte[] file = TestCheckpoint.File(MalformedCorpus.Model.Tensors(), new JsonObject { ["format"] = "pt" });
        int header = BitConverter.ToInt32(file), data = 8 + header;
        boundaries = [.. Enumerable.Range(0, 9).Select(length => ($"prefix, {length} bytes", length))];
        boundaries.AddRange([
            ("header, first byte", 9), ("header, half", 8 + (header / 2)), ("header, but its last byte", data - 1),
            ("tensor data, none", data),
        ]);
        foreach (var (name, entry) in JsonNode.Parse(file.AsSpan(8, header))!.AsObject())
        {
            if (name == "__metadata__") continue;
            int begin = (int)entry!["data_offsets"]![0]!, end = (int)entry["data_offsets"]![1]!;
            boundaries.AddRange(
            [
                ($"tensor {name}, first byte", data + begin + 1), ($"tensor {name}, half", data + ((begin + end) / 2)),
                ($"tensor {name}, but its last byte", data + end - 1), ($"tensor {name}, behind", data + end),
            ]);
        }

        return file;
    }
}
