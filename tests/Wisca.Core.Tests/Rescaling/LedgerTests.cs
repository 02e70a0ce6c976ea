using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Rescaling;

public sealed class LedgerTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj.weight";
    private readonly TemporaryFolder _folder = new();
    private readonly JsonObject _ledger;

    public LedgerTests()
    {
        new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 0.02 : 0.002 }.Write(_folder["m"]);
        using (var checkpoint = Checkpoint.Open(_folder["m"]))
            Rescaler.Rescale(checkpoint, _folder["out"], new RescaleOptions());
        _ledger = JsonNode.Parse(File.ReadAllText(Path))!.AsObject();
    }

    private string Path => _folder["out", Ledger.FileName];

    private JsonNode Move => _ledger["moves"]![0]!;

    private JsonNode Group => Move["groups"]![0]!;

    private JsonNode Slice => Group["slices"]![0]!;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_WhatWasSaved_IsTheSame()
    {
        var ledger = Ledger.Load(_folder["out"])!;
        ledger.Moves.ShouldHaveSingleItem().Lost.ShouldNotBeEmpty();
        ledger.Moves[0].Groups.Count.ShouldBe(2);
        Ledger.Load(_folder["m"]).ShouldBeNull();

        // Every number survives: what is written again is the same text.
        Directory.CreateDirectory(_folder["copy"]);
        ledger.Save(_folder["copy"]);
        File.ReadAllText(_folder["copy", Ledger.FileName]).ShouldBe(File.ReadAllText(Path));
    }

    [Theory]
    [InlineData("", "wisca.json: ")]
    [InlineData("{", "wisca.json: ")]
    [InlineData("[]", "wisca.json: ")]
    [InlineData("null", "wisca.json is null")]
    [InlineData("{}", "version")]
    [InlineData("""{"version":2,"moves":[],"files":[]}""", "wisca.json has version 2, expected 1")]
    [InlineData("""{"version":1,"version":1,"moves":[],"files":[]}""", "wisca.json: ")]
    [InlineData("""{"version":1,"moves":[],"files":[],"more":1}""", "more")]
    [InlineData("""{"version":1,"moves":null,"files":[]}""", "wisca.json: ")]
    [InlineData("""{"version":1,"moves":[null],"files":[]}""", "move 0: null")]
    [InlineData("""{"version":1,"moves":[],"files":[null]}""", "a file without a name")]
    [InlineData("""{"version":1,"moves":[],"files":[{"name":"a","size":-1}]}""", "a file without a name or a size")]
    [InlineData("""{"version":1,"moves":[],"files":[{"name":"a","size":1},{"name":"a","size":1}]}""", "a file is listed twice")]
    [InlineData("""{"version":1,"moves":[],"files":[{"name":"\ud800","size":1}]}""", "wisca.json: ")]
    public void Load_BrokenText_IsRefused(string json, string expected)
    {
        File.WriteAllText(Path, json);
        Refused(expected);
    }

    [Fact]
    public void Load_BrokenMove_IsRefused()
    {
        (string Expected, Action Break)[] cases =
        [
            ("unknown criterion", () => Move["criterion"] = 17),
            ("wisca.json: ", () => Move["criterion"] = "l3"),
            ("unknown transition, granularity or outcome", () => Group["outcome"] = 9),
            ("layer 0: factor 0 is not a positive number", () => Group["factor"] = 0),
            ("factor -2 is not", () => Group["factor"] = -2),
            ("is not a positive number", () => Group["factor"] = JsonNode.Parse("1e999")),
            ("wisca.json: ", () => Group["factor"] = "NaN"),
            ("axis 2 or exponent 1", () => Slice["axis"] = 2),
            ("axis 0 or exponent 0", () => Slice["exponent"] = 0),
            ("'5-3' is not an ascending list", () => Slice["indices"] = "5-3"),
            ("'0,0' is not an ascending list", () => Slice["indices"] = "0,0"),
            ("'-1' is not an ascending list", () => Slice["indices"] = "-1"),
            ("'1x' is not an ascending list", () => Slice["indices"] = "1x"),
            ("'0-99999999999' is not an ascending list", () => Slice["indices"] = "0-99999999999"),
            ("'0-2147483647' is not an ascending list", () => Slice["indices"] = "0-2147483647"),
            ("a group or slice that is null", () => Group["slices"]!.AsArray().Add((JsonNode?)null)),
            ("a group or slice that is null", () => Move["groups"]!.AsArray().Add((JsonNode?)null)),
            ($"no digests of '{Query}', which is scaled", () => Move["tensors"]!.AsObject().Remove(Query)),
            ($"no digests of '{Query}'", () => Move["tensors"]![Query] = null),
            ("are not base64url", () => Move["lost"]![0]!["packed"] = "?"),
            ("are not base64url", () => Move["lost"]![0]!["packed"] = "A"),
            ("are not base64url", () => Move["lost"]![0]!["count"] = 0),
            ("move 0: null", () => Move["lost"]!.AsArray().Add((JsonNode?)null)),
        ];
        string whole = _ledger.ToJsonString();
        foreach (var (expected, change) in cases)
        {
            change();
            File.WriteAllText(Path, _ledger.ToJsonString());
            Refused(expected);
            _ledger["moves"] = JsonNode.Parse(whole)!["moves"]!.DeepClone();
        }
    }

    [Fact]
    public void Undo_LedgerOfOtherWeights_IsRefused()
    {
        (string Expected, Action Break)[] cases =
        [
            ("names tensor 'other', which the checkpoint does not have", () =>
            {
                Slice["tensor"] = "other";
                Move["tensors"]!["other"] = new JsonObject { ["before"] = "", ["after"] = "" };
            }),
            ($"indices '0-32' of '{Query}' do not fit its shape", () => Slice["indices"] = "0-32"),
            ($"indices '0-31' of '{Query}' do not fit its shape", () =>
            {
                var twin = Slice.DeepClone();
                twin["axis"] = 1;
                Group["slices"]!.AsArray().Add(twin);
            }),
            ("'model.norm.weight' is scaled along axis 1, but it is F16 of shape [16]", () =>
            {
                Slice["tensor"] = "model.norm.weight";
                Slice["axis"] = 1;
                Move["tensors"]!["model.norm.weight"] = new JsonObject { ["before"] = "", ["after"] = "" };
            }),
            ("do not fit its shape", () => Move["lost"]![0]!["packed"] = ""),
            ("do not fit its shape", () => Move["lost"]![0]!["packed"] = "AAAA"),
            ("do not fit its shape", () => Move["lost"]![0]!["count"] = 1),
            ("do not fit its shape", () => Move["lost"]![0]!["count"] = 1_000_000_000),
            ("do not fit its shape", () => Lose([0], [1, 2])),
            ("do not fit its shape", () => Lose([0x80, 0x80, 0x80, 0x80, 0x80, 0x20], [1, 2])),
            ("do not fit its shape", () => Lose([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20], [1, 2])),
            ("do not fit its shape", () => Lose([1], [1, 2, 3])),
            ("do not fit its shape", () => Lose([1], [1])),
            ("do not fit its shape", () => Lose(Gap((TestCheckpoint.Read(_folder["out"])[Query].Bytes.Length / 2) + 1), [1, 2])),
        ];
        string whole = _ledger.ToJsonString();
        foreach (var (expected, change) in cases)
        {
            change();
            File.WriteAllText(Path, _ledger.ToJsonString());
            using (var checkpoint = Checkpoint.Open(_folder["out"]))
                Should.Throw<WiscaException>(() => Undoer.Undo(checkpoint, _folder["back"])).Message.ShouldContain(expected);
            Directory.Exists(_folder["back"]).ShouldBeFalse();
            _ledger["moves"] = JsonNode.Parse(whole)!["moves"]!.DeepClone();
        }
    }

    /// <summary>Seven bits a byte, the lowest first.</summary>
    private static byte[] Gap(int gap) => gap < 0x80 ? [(byte)gap] : [(byte)(gap | 0x80), .. Gap(gap >> 7)];

    private void Lose(byte[] gaps, byte[] bits) => Move["lost"]![0] = new JsonObject
    {
        ["tensor"] = Query, ["count"] = 1, ["packed"] = LostElements.From(Query, 1, gaps, bits).Packed,
    };

    [Fact]
    public void Undo_NothingToUndo_IsRefused()
    {
        using (var checkpoint = Checkpoint.Open(_folder["m"]))
            Should.Throw<WiscaException>(() => Undoer.Undo(checkpoint, _folder["back"])).Message.ShouldEndWith("has no wisca.json");
        using (var checkpoint = Checkpoint.Open(_folder["out"])) Undoer.Undo(checkpoint, _folder["back"]).Moves.ShouldBe(1);
        using (var checkpoint = Checkpoint.Open(_folder["back"]))
            Should.Throw<WiscaException>(() => Undoer.Undo(checkpoint, _folder["again"])).Message.ShouldContain("holds no move");
    }

    [Theory]
    [InlineData("all", "0-7")]
    [InlineData("0", "0")]
    [InlineData("7", "7")]
    [InlineData("2-4", "2-4")]
    [InlineData("-2", "0-2")]
    [InlineData("6-", "6-7")]
    [InlineData("0-1, 4 ,6-", "0-1,4,6-7")]
    public void LayerRange_Text_CoversItsLayers(string text, string expected)
    {
        var covered = new LayerRange(text).Resolve(8);
        covered.ShouldBe(Enumerable.Range(0, 8).Select(layer => new LedgerSlice("", 0, 1, expected).Enumerate().Contains(layer)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("a")]
    [InlineData("1,")]
    [InlineData("3-2")]
    [InlineData("8")]
    [InlineData("0-8")]
    [InlineData("1-2-3")]
    [InlineData("+1")]
    [InlineData("99999999999")]
    public void LayerRange_TextThatIsNone_Throws(string text) => Should.Throw<WiscaException>(() => new LayerRange(text).Resolve(8));

    [Fact]
    public void KernelCopy_BetweenFileSystemsAndWithinOne_CopiesTheRange()
    {
        byte[] bytes = new byte[3_000_000];
        new Random(1).NextBytes(bytes);
        using var memory = new MemoryFolder();
        foreach (string source in (string[])[_folder["a"], memory.Path is { } path ? System.IO.Path.Combine(path, "a") : _folder["b"]])
        {
            File.WriteAllBytes(source, bytes);
            using (var from = File.OpenHandle(source))
            using (var to = File.OpenHandle(_folder["to"], FileMode.Create, FileAccess.ReadWrite))
            {
                RandomAccess.SetLength(to, bytes.Length);
                KernelCopy.Copy(from, to, 5, 7, 2_500_000);
                Should
                    .Throw<IOException>(() => KernelCopy.Copy(from, to, 2_999_000, 2_600_000, 2_000))
                    .Message.ShouldContain("ended early");
            }

            File.ReadAllBytes(_folder["to"]).AsSpan(7, 2_500_000).SequenceEqual(bytes.AsSpan(5, 2_500_000)).ShouldBeTrue();
        }
    }

    private void Refused(string expected)
    {
        var exception = Should.Throw<WiscaException>(() => Ledger.Load(_folder["out"]));
        exception.Message.ShouldStartWith("wisca.json");
        exception.Message.ShouldContain(expected);
        exception.Hint.ShouldNotBeNullOrEmpty();
    }

    /// <summary>A folder on another file system, where there is one.</summary>
    private sealed class MemoryFolder : IDisposable
    {
        public string? Path { get; } =
            Directory.Exists("/dev/shm") ? Directory.CreateDirectory($"/dev/shm/wisca-test-{Guid.NewGuid():N}").FullName : null;

        public void Dispose()
        {
            if (Path is not null) Directory.Delete(Path, recursive: true);
        }
    }
}
