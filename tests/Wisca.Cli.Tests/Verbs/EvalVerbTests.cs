using System.Globalization;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class EvalVerbTests
{
    private static string Model => TestData.Require("models", "TinyStories-656K");

    private static string Stories => TestData.Require("text", "tinystories", "valid.first220.txt");

    [Fact]
    public async Task Eval_Text_WritesTheSameToTheFileAndToPrograms()
    {
        using var folder = new TemporaryFolder();
        string[] args = ["eval", Model, "--text", Stories, "--limit", "3", "--threads", "1"];
        var run = await CommandRun.RunAsync([.. args, "--json", "--out", folder["a.json"]]);
        run.ExitCode.ShouldBe(0, run.Error);
        var json = JsonNode.Parse(run.Output)!;
        JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(folder["a.json"])), json).ShouldBeTrue();
        Directory.EnumerateFileSystemEntries(folder.FullPath).ShouldBe([folder["a.json"]]);
        ((int)json["documents"]!).ShouldBe(3);
        json["stride"].ShouldBeNull();
        json["extension"].ShouldBeNull();
        ((int)json["detokenized_documents"]!).ShouldBe(0);
        ((string)json["prefix_token"]!).ShouldBe("<|start_story|>");
        double logLikelihood = (double)json["log_likelihood"]!, perplexity = Math.Exp(-logLikelihood / (int)json["tokens"]!);
        ((double)json["token_perplexity"]!).ShouldBe(perplexity, 1e-12 * perplexity);
        ((double)json["bits_per_byte"]!).ShouldBe(-logLikelihood / Math.Log(2) / (int)json["bytes"]!, 1e-9);
        var printed = await CommandRun.RunAsync(args);
        printed.Output.ShouldContain(perplexity.ToString("0.0000", CultureInfo.InvariantCulture));
        printed.Output.ShouldContain("3 documents; 3 windows of up to 512 tokens");
        (await CommandRun.RunAsync([.. args, "--out", folder["a.json"]])).ShouldFail("a.json exists");
        (await CommandRun.RunAsync([.. args, "--out", folder["a.json"], "--force"])).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task Eval_Stride_IsLabelledAndLowersThePerplexity()
    {
        string[] args = ["eval", Model, "--text", Stories, "--limit", "2", "--max-length", "40", "--threads", "1", "--json"];
        JsonNode plain = JsonNode.Parse((await CommandRun.RunAsync(args)).Output)!,
            strided = JsonNode.Parse((await CommandRun.RunAsync([.. args, "--stride", "10"])).Output)!;
        ((int)strided["stride"]!).ShouldBe(10);
        ((string)strided["extension"]!).ShouldContain("not comparable");
        ((double)strided["token_perplexity"]!).ShouldBeLessThan((double)plain["token_perplexity"]!);
        ((int)strided["tokens"]!).ShouldBe((int)plain["tokens"]!);
        (await CommandRun.RunAsync([.. args, "--stride", "41"])).ShouldFail("a stride of 41 tokens, but a window has 40");
        (await CommandRun.RunAsync([.. args[..^1], "--stride", "40"])).Output.ShouldContain("stride 40: overlapping windows, an extension");
    }

    [Fact]
    public async Task Eval_WikitextPage_IsDetokenisedUnlessToldOtherwise()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["a.txt"],
            " = Harbour = \n \n The well @-@ known boats , and the sea . \n \n = Hills = \n \n They are high . \n");
        string[] args = ["eval", Model, "--text", folder["a.txt"], "--threads", "1", "--json"];
        JsonNode auto = JsonNode.Parse((await CommandRun.RunAsync(args)).Output)!,
            none = JsonNode.Parse((await CommandRun.RunAsync([.. args, "--detokenize", "none"])).Output)!;
        ((int)auto["documents"]!).ShouldBe(2);
        ((int)auto["detokenized_documents"]!).ShouldBe(2);
        ((int)none["detokenized_documents"]!).ShouldBe(0);
        ((int)auto["bytes"]!).ShouldBe((int)none["bytes"]!);
        ((int)auto["tokens"]!).ShouldBeLessThan((int)none["tokens"]!);
        ((int)JsonNode.Parse((await CommandRun.RunAsync([.. args, "--document", "line"])).Output)!["documents"]!).ShouldBe(4);
    }

    [Fact]
    public async Task Eval_BadInput_IsOneLine()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("eval", Model, "--text", folder["none.txt"])).ShouldFail("does not exist");
        (await CommandRun.RunAsync("eval", Model, "--text", Stories, "--out", folder["no", "a.json"])).ShouldFail("does not exist");
        (await CommandRun.RunAsync("eval", Model, "--text", Stories, "--max-length", "513")).ShouldFail("made for 512 positions");
        (await CommandRun.RunAsync("eval", Model)).ExitCode.ShouldBe(2);
        (await CommandRun.RunAsync("eval", Model, "--text", Stories, "--document", "page")).ExitCode.ShouldBe(2);
    }
}
