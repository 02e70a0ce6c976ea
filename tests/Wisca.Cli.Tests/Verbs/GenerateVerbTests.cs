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

    // The greedy continuations of transformers 5.24 (do_sample=False, max_new_tokens=40) in float32; with a penalty of 1.3 the other one.
    private const string Beginning = "One day, a little girl named ",
        Opening = "Lily went for a walk in the park. She saw a pretty bird on the ground",
        Greedy = Opening
            + ". The bird wanted to fly high like the bird. The bird wanted to fly high in the sky.\nLily flew up to the tree and reached "
            + "the bird. The bird flew down and reached the bird. The bird was flying high ",
        Penalised = Opening
            + ". The bird wanted to fly high like the bird's nest. Lily wanted to help the bird, so she flew down to the tree and reached "
            + "the bird.\nLily climbed up the tree and got closer. The little bird flew";

    [Theory]
    [InlineData("""{"do_sample": false, "max_new_tokens": 40}""", Greedy)]
    [InlineData("""{"do_sample": false, "max_new_tokens": 40, "temperature": 0.7, "top_p": 0.5}""", Greedy)]
    [InlineData("""{"do_sample": false, "max_new_tokens": 40, "repetition_penalty": 1.3}""", Penalised)]
    [InlineData("""{"do_sample": true, "top_k": 1, "max_length": 44}""", Greedy)]
    [InlineData("""{"do_sample": false, "eos_token_id": [2, 776]}""", Opening)]
    [InlineData("""{"do_sample": false, "eos_token_id": 163, "max_new_tokens": 40}""", "Lily went for a walk in the park")]
    [InlineData("""{"do_sample": false, "eos_token_id": null, "max_new_tokens": 4}""", "Lily went for a walk in the park")]
    public async Task Generate_GenerationConfig_IsWhatTransformersDoes(string config, string expected)
    {
        using var folder = Model(config);
        var run = await CommandRun.RunAsync("generate", folder["model"], "--prompt", Beginning, "--threads", "1");
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.TrimEnd('\n', '\r').TrimEnd().ShouldBe((Beginning + expected).TrimEnd());
        run.Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task Generate_Flags_RuleOverGenerationConfig()
    {
        using var folder = Model("""{"do_sample": true, "temperature": 5.0, "top_k": 1000, "max_new_tokens": 40, "eos_token_id": 2}""");
        string[] args = ["generate", folder["model"], "--prompt", Beginning, "--threads", "1"];
        string wild = (await CommandRun.RunAsync(args)).Output;
        wild.ShouldNotContain("Lily went for a walk in the park.");
        (await CommandRun.RunAsync([.. args, "--temperature", "0"])).Output.ShouldContain(Greedy.TrimEnd());
        var three = await CommandRun.RunAsync([.. args, "--top-k", "1", "--max-tokens", "3"]);
        three.Output.Trim().ShouldBe(Beginning + "Lily went for a walk");

        // Whoever asks for draws gets them, from a model whose own way is greedy too.
        using var greedy = Model("""{"do_sample": false, "max_new_tokens": 40}""");
        args[1] = greedy["model"];
        (await CommandRun.RunAsync([.. args, "--top-p", "0.99", "--seed", "5"])).Output.ShouldNotContain(Greedy.TrimEnd());
    }

    [Fact]
    public async Task Generate_PromptThatBeginsWithAt_IsAPrompt()
    {
        using var folder = Model("""{"do_sample": false, "max_new_tokens": 2}""");
        var run = await CommandRun.RunAsync("generate", folder["model"], "--prompt", "@alice hi");
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("alice hi");
    }

    [Fact]
    public async Task Generate_UnsupportedDefaults_AreNamedInOneLine()
    {
        using var folder = Model(
            """
            {"do_sample": false, "max_new_tokens": 5, "num_beams": 4, "no_repeat_ngram_size": 3, "suppress_tokens": [], "typical_p": 1.0,
             "bad_words_ids": [[5]], "some_future_key": 3}
            """);
        var run = await CommandRun.RunAsync("generate", folder["model"], "--prompt", Beginning);
        run.ExitCode.ShouldBe(0, run.Error);
        run.ErrorLines.ShouldHaveSingleItem().ShouldBe(
            "note: generation_config.json asks for what is not done here, and other text may come out: num_beams 4, "
            + "no_repeat_ngram_size 3, bad_words_ids [[5]]");
    }

    [Theory]
    [InlineData("""{"temperature": "warm"}""", "generation_config.json: temperature is \"warm\", expected a number")]
    [InlineData("""{"temperature": -1}""", "generation_config.json: temperature is -1, expected a number from 0")]
    [InlineData("""{"top_p": 1.5}""", "generation_config.json: top_p is 1.5, expected a number from 0 to 1")]
    [InlineData("""{"top_k": -3}""", "generation_config.json: top_k is -3, expected a whole number from 0")]
    [InlineData("""{"repetition_penalty": 0}""", "generation_config.json: repetition_penalty is 0, expected a number above 0")]
    [InlineData("""{"eos_token_id": "</s>"}""", "generation_config.json: eos_token_id is \"</s>\", expected a token's number or a list of")]
    [InlineData("""{"eos_token_id": [2, [3]]}""", "generation_config.json: eos_token_id is [2, [3]], expected a token's number")]
    [InlineData("""{"do_sample": 1}""", "generation_config.json: do_sample is 1, expected true or false")]
    [InlineData("""{"max_new_tokens": 0}""", "generation_config.json: max_new_tokens is 0, expected a whole number from 1")]
    [InlineData("""{"max_length": 3}""", "the prompt has 4 tokens, and generation_config.json allows 3")]
    [InlineData("""[1]""", "generation_config.json")]
    [InlineData("""{"top_k": 5,}""", "generation_config.json")]
    public async Task Generate_BrokenGenerationConfig_NamesTheKey(string config, string expected)
    {
        using var folder = Model(config);
        (await CommandRun.RunAsync("generate", folder["model"], "--prompt", Beginning)).ShouldFail(expected);
    }

    /// <summary>Whatever reports a number of a model that gives none says which weight is broken, and reports nothing.</summary>
    [Fact]
    public async Task AnyNumber_OfAModelWithNaN_IsRefused()
    {
        using var folder = Model("{}");
        string weights = folder["model", "model.safetensors"];
        byte[] bytes = File.ReadAllBytes(weights);
        File.Delete(weights);
        const string tensor = "model.layers.1.self_attn.v_proj.weight";
        int at = bytes.AsSpan().IndexOf(TestCheckpoint.Read(TestData.Require("models", "TinyStories-656K"))[tensor].Bytes);
        BitConverter.TryWriteBytes(bytes.AsSpan(at + 40), float.NaN);
        File.WriteAllBytes(weights, bytes);
        File.WriteAllText(folder["text.txt"], "Once upon a time there was a fox.");
        foreach (
            string[] command in (string[][])
                [
                    ["eval", folder["model"], "--text", folder["text.txt"]],
                    ["eval", folder["model"], "--text", folder["text.txt"], "--json"],
                    ["generate", folder["model"], "--prompt", "Once"],
                    ["flatness", folder["model"], "--text", folder["text.txt"], "--measure", "trace"],
                ])
        {
            var run = await CommandRun.RunAsync(command);
            run.ExitCode.ShouldBe(1, run.Output + run.Error);
            run.Output.ShouldBeEmpty();
            string error = string.Join(' ', run.ErrorLines.Select(line => line.Trim()));
            error.ShouldContain(folder["model"]);
            error.ShouldContain($"element 10 of '{tensor}' is no finite number");
        }

        var verify = await CommandRun.RunAsync("verify", folder["model"], folder["model"], "--tokens", "8");
        verify.ExitCode.ShouldBe(1);
        verify.Output.ShouldContain("NOT equivalent: NaN or infinite logits");
        verify.Output.ShouldContain("the two differ  believe the forward proof");
        verify.Output.ShouldNotContain("perplexity");
    }

    /// <summary>A copy of the model with another generation_config.json.</summary>
    private static TemporaryFolder Model(string config)
    {
        string model = TestData.Require("models", "TinyStories-656K");
        var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["model"]);
        foreach (string file in Directory.EnumerateFiles(model))
            File.CreateSymbolicLink(folder["model", Path.GetFileName(file)], file);
        File.Delete(folder["model", "generation_config.json"]);
        File.WriteAllText(folder["model", "generation_config.json"], config);
        return folder;
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
