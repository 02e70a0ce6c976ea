using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>Names from files reach the terminal as text only, in results as in errors.</summary>
public sealed class EscapedOutputTests : IDisposable
{
    private const string Nasty = "a\u001b[31m\u202eb\nc\u200f\u0085d";
    private const string Escaped = @"a\u001b[31m\u202eb\u000ac\u200f\u0085d";
    private readonly TemporaryFolder _folder = new();

    public EscapedOutputTests()
    {
        var model = new SmallLlama { Layers = 1 };
        model.Write(_folder["model"], [.. model.Tensors(), new TestTensor($"model.layers.0.{Nasty}", "F32", [1], new byte[4])]);
        File.WriteAllText(_folder["model", "x\u001b[2J\u202e.gguf"], "x");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task EveryVerb_NamesThatAct_AreEscaped()
    {
        // Without the strange tensor, something is rescaled.
        new SmallLlama { Layers = 1 }.Write(_folder["plain"]);
        File.WriteAllText(_folder["plain", "x\u001b[2J\u202e.gguf"], "x");
        var inspect = await CommandRun.RunAsync("inspect", _folder["model"]);
        inspect.Output.ShouldContain(Escaped);
        var rescale = await CommandRun.RunAsync("rescale", _folder["plain"], "--out", _folder["out"]);
        rescale.Output.ShouldContain(@"not copied: x\u001b[2J\u202e.gguf: weights in another form");
        var refused = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["never"]);
        refused.ShouldFail(Escaped);
        var verify = await CommandRun.RunAsync("verify", _folder["model"], _folder["plain"]);
        verify.Output.ShouldContain($"tensor 'model.layers.0.{Escaped}' is only in the first");
        var json = await CommandRun.RunAsync("verify", _folder["model"], _folder["plain"], "--json");
        JsonNode.Parse(json.Output)!["certificate"]!["differences"]![0]!.GetValue<string>().ShouldContain(Nasty);
        foreach (var run in (CommandRun[])[inspect, rescale, refused, verify, json])
            (run.Output + run.Error).Where(c => c != '\n')
                .ShouldAllBe(c => !char.IsControl(c) && char.GetUnicodeCategory(c) != System.Globalization.UnicodeCategory.Format);
    }

    [Theory]
    [InlineData("plain text, ümlaut, 漢字, 😀", "plain text, ümlaut, 漢字, 😀")]
    [InlineData("\u001b[0m\t\r\n", @"\u001b[0m\u0009\u000d\u000a")]
    [InlineData("\u202a\u202e\u2066\u2069\u200b\ufeff\u2028\u2029\u061c", @"\u202a\u202e\u2066\u2069\u200b\ufeff\u2028\u2029\u061c")]
    [InlineData("\U000e0041x", @"\udb40\udc41x")]
    public void PrintableText_Of_EscapesWhatActs(string text, string expected) => PrintableText.Of(text).ShouldBe(expected);

    [Fact]
    public void PrintableText_OfHalfAPair_IsEscaped() => PrintableText.Of("a" + (char)0xd800 + "b").ShouldBe(@"a\ud800b");
}
