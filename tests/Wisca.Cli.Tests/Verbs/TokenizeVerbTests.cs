using System.Text.Json;
using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

public sealed class TokenizeVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TokenizeVerbTests()
    {
        Directory.CreateDirectory(_folder["model"]);
        File.WriteAllText(_folder["model", "vocab.json"], """{"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}""");
        File.WriteAllText(_folder["model", "merges.txt"], "a b\n");
        File.WriteAllText(_folder["model", "tokenizer_config.json"], """{"eos_token": "<|endoftext|>"}""");
        File.WriteAllText(_folder["a.txt"], string.Concat(Enumerable.Range(0, 40).Select(i => new string('a', i) + "ab\n<|endoftext|>\n")));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Tokenize_Text_WritesATokenFile()
    {
        var run = await RunAsync(_folder["a.txt"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("860 tokens of 40 documents");
        run.Output.ShouldContain("documents end with <|endoftext|> (3)");
        using var file = TokenFile.Open(_folder["out.tokens"]);
        long[] ids = new long[6];
        file.Read(0, ids);
        ids.ShouldBe([2, 3, 0, 2, 3, 0]);
        (file.Documents, file.Count, file.EosId).ShouldBe((40L, 860L, 3));
        (await RunAsync(_folder["a.txt"])).ShouldFail("out.tokens exists");
        (await RunAsync(_folder["a.txt"], "--force")).ExitCode.ShouldBe(0);
    }

    [Theory]
    [InlineData("0.25", 1, 39)]
    [InlineData("7", 7, 7)]
    public async Task Tokenize_HeldOut_WritesTwoFiles(string share, int least, int most)
    {
        var run = await RunAsync(_folder["a.txt"], "--held-out", share, "--json");
        run.ExitCode.ShouldBe(0, run.Error);
        var json = JsonDocument.Parse(run.Output).RootElement;
        json.GetProperty("held_out").GetProperty("path").GetString().ShouldBe(_folder["out.held-out.tokens"]);
        int heldOut = json.GetProperty("held_out").GetProperty("documents").GetInt32();
        heldOut.ShouldBeInRange(least, most);
        using var file = TokenFile.Open(_folder["out.held-out.tokens"]);
        file.Documents.ShouldBe(heldOut);
        json.GetProperty("training").GetProperty("documents").GetInt32().ShouldBe(40 - heldOut);
        json.GetProperty("tokenizer_hash").GetString().ShouldBe(file.TokenizerHash);
    }

    /// <summary>What an earlier run held out would be trained on, and nothing would tell.</summary>
    [Fact]
    public async Task Tokenize_WithoutHoldingOutBesideAnEarlierPair_IsAnError()
    {
        (await RunAsync(_folder["a.txt"], "--held-out", "7")).ExitCode.ShouldBe(0);
        byte[] held = File.ReadAllBytes(_folder["out.held-out.tokens"]), rest = File.ReadAllBytes(_folder["out.tokens"]);
        (await RunAsync(_folder["a.txt"], "--force")).ShouldFail("out.held-out.tokens is there from an earlier run");
        File.ReadAllBytes(_folder["out.tokens"]).ShouldBe(rest);
        (await RunAsync(_folder["a.txt"], "--held-out", "7", "--seed", "5", "--force")).ExitCode.ShouldBe(0);
        File.ReadAllBytes(_folder["out.held-out.tokens"]).ShouldNotBe(held);
        File.Delete(_folder["out.held-out.tokens"]);
        (await RunAsync(_folder["a.txt"], "--force")).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task Tokenize_Options_ReachTheReader()
    {
        File.WriteAllText(_folder["b.jsonl"], """{"body": "ab"}""");
        (await RunAsync(_folder["b.jsonl"])).ShouldFail("b.jsonl:1: the object has no field 'text'");
        (await RunAsync(_folder["b.jsonl"], "--field", "body", "--eos", "b")).Output.ShouldContain("2 tokens of 1 document,");
        (await RunAsync(_folder["a.txt"], "--separator", "none", "--force")).Output.ShouldContain(" of 1 document,");
        (await RunAsync(_folder["a.txt"], "--eos", "nothing")).ShouldFail("has no token 'nothing'");
    }

    [Fact]
    public async Task Tokenize_BadInput_IsOneLine()
    {
        (await RunAsync(_folder["none.txt"])).ShouldFail("none.txt does not exist");
        (
            await CommandRun.RunAsync("tokenize", _folder["a.txt"], "--tokenizer", _folder["none"], "--out", _folder["out.tokens"])
        ).ShouldFail("none does not exist");
        File.Delete(_folder["model", "tokenizer_config.json"]);
        File.WriteAllText(_folder["model", "vocab.json"], """{"a": 0, "b": 1, "ab": 2}""");
        (await RunAsync(_folder["a.txt"])).ShouldFail("the tokenizer has no EOS token");
        (await RunAsync(_folder["a.txt"], "--held-out", "1.5")).ExitCode.ShouldBe(2);
        (await RunAsync(_folder["a.txt"], "--held-out", "-1")).ExitCode.ShouldBe(2);
        (await CommandRun.RunAsync("tokenize", _folder["a.txt"], "--out", _folder["out.tokens"])).ExitCode.ShouldBe(2);
        Directory.GetFiles(_folder.FullPath).ShouldBe([_folder["a.txt"]]);
    }

    private Task<CommandRun> RunAsync(params string[] args) =>
        CommandRun.RunAsync(["tokenize", .. args, "--tokenizer", _folder["model"], "--out", _folder["out.tokens"]]);
}
