using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class GenerateVerbTests
{
    [Fact]
    public async Task Generate_SmallStoryModel_WritesAStory()
    {
        string model = TestData.Require("models", "TinyStories-656K");

        // Tokens of this model end with the space behind the word.
        const string prompt = "One day, a little girl named ";
        string[] args = ["generate", model, "--prompt", prompt, "--max-tokens", "30", "--seed", "3", "--threads", "1"];
        var sampled = await CommandRun.RunAsync(args);
        sampled.ExitCode.ShouldBe(0, sampled.Error);
        sampled.Output.ShouldStartWith(prompt);
        sampled.Output.Length.ShouldBeGreaterThan(60);
        (await CommandRun.RunAsync(args)).Output.ShouldBe(sampled.Output);
        var greedy = await CommandRun.RunAsync([.. args, "--temperature", "0"]);
        greedy.Output.ShouldStartWith(prompt + "Lily ");
        (await CommandRun.RunAsync([.. args, "--top-k", "1"])).Output.ShouldBe(greedy.Output);
    }

    [Fact]
    public async Task Generate_MoreThanThePositions_IsRefused()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        (await CommandRun.RunAsync("generate", model, "--prompt", "Once", "--max-tokens", "100000")).ShouldFail(
            "100000 to follow, but the model was made for");
    }

    [Theory]
    [InlineData("--temperature", "-1")]
    [InlineData("--top-p", "1.5")]
    [InlineData("--top-k", "0")]
    public async Task Generate_OptionOutOfRange_Exit2(string option, string value) =>
        (await CommandRun.RunAsync("generate", ".", "--prompt", "Once", option, value)).ExitCode.ShouldBe(2);

    [Fact]
    public async Task Generate_NoTokenizer_NamesTheFolder()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama().Write(folder.FullPath);
        (await CommandRun.RunAsync("generate", folder.FullPath, "--prompt", "Once")).ShouldFail("holds no tokenizer");
    }
}
