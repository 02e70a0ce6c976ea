using System.Text.Json;
using Wisca.Data.Instructions;
using Wisca.Data.Tests.Corpora;
using Wisca.Data.Tests.Tokenizers;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;

namespace Wisca.Data.Tests.Instructions;

/// <summary>Templates and masks, shown as text: what counts stands in braces, EOS is $ and BOS ^.</summary>
public sealed class InstructionEncoderTests
{
    private static readonly InstructionMessage System = new(InstructionRole.System, "S"),
        Ask = new(InstructionRole.User, "Q"),
        Answer = new(InstructionRole.Assistant, "A");

    [Theory]
    [InlineData("plain", "^Q{A$}")]
    [InlineData("question", "^Question: Q\nAnswer:{ A$}")]
    [InlineData(
        "alpaca",
        "^Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### "
        + "Instruction:\nQ\n\n### Response:{A$}")]
    [InlineData("chatml", "^<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n{A<|im_end|>$}")]
    [InlineData("llama-2", "^[INST] Q [/INST]{ A $}")]
    [InlineData(
        "llama-3",
        "^<|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{A<|eot_id|>$}")]
    [InlineData("gemma", "^<start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\n{A<end_of_turn>$}")]
    public void Encode_OneTurn_IsTheTemplate(string template, string expected) => Show(template, Ask, Answer).ShouldBe(expected);

    [Theory]
    [InlineData("plain", "^S\n\nQ{A$}Q{A$}")]
    [InlineData("question", "^S\n\nQuestion: Q\nAnswer:{ A$}Question: Q\nAnswer:{ A$}")]
    [InlineData("alpaca", "^S\n\n### Instruction:\nQ\n\n### Response:{A$}\n\n### Instruction:\nQ\n\n### Response:{A$}")]
    [InlineData(
        "chatml",
        "^<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n{A<|im_end|>$}"
        + "\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n{A<|im_end|>$}")]
    [InlineData("llama-2", "^[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST]{ A $}^[INST] Q [/INST]{ A $}")]
    [InlineData(
        "gemma",
        "^<start_of_turn>user\nS\n\nQ<end_of_turn>\n<start_of_turn>model\n{A<end_of_turn>$}"
        + "\n<start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\n{A<end_of_turn>$}")]
    public void Encode_TwoTurnsAndSystem_CountsBothAnswers(string template, string expected) =>
        Show(template, System, Ask, Answer, Ask, Answer).ShouldBe(expected);

    [Fact]
    public void Encode_AlpacaWithInput_IsItsOtherTemplate() =>
        Show("alpaca", Ask with { Input = "I" }, Answer)
            .ShouldBe(
                "^Below is an instruction that describes a task, paired with an input that provides further context. Write a response "
                + "that appropriately completes the request.\n\n### Instruction:\nQ\n\n### Input:\nI\n\n### Response:{A$}");

    [Fact]
    public void Encode_TokenizerThatPutsEosBehindTexts_HasOneEnd()
    {
        var encoded = new InstructionEncoder(new CharacterTokenizer(eosAround: true), InstructionTemplate.Find("plain")).Encode(
            new Instruction([Ask, Answer], ""));
        encoded.Ids.ShouldBe([0, 'Q', 'A', 1]);
        encoded.Counts.ShouldBe([false, false, true, true]);
    }

    [Fact]
    public void Encode_TokenOfPromptAndAnswer_Counts()
    {
        // "QA" is one token: the model sees what it would see of the whole text, and part of the answer is in that token.
        using var folder = new TemporaryFolder();
        var tokenizer = BytePairTrainer.Train(["QA QA"], new BytePairTrainingOptions { VocabularySize = 258 }).Save(folder["tokenizer"]);
        var encoded = new InstructionEncoder(tokenizer, InstructionTemplate.Find("plain")).Encode(
            new Instruction([Ask with { Content = "xQ" }, Answer], ""));
        encoded.Ids.ShouldBe([.. tokenizer.Encode("xQA", addSpecialTokens: false), tokenizer.EosId!.Value]);
        encoded.Counts.ShouldBe([false, true, true]);
    }

    [Theory]
    [InlineData("plain", "^QA$Q{A$}")]
    [InlineData("question", "^Question: Q\nAnswer: A$Question: Q\nAnswer:{ A$}")]
    [InlineData(
        "chatml",
        "^<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>$"
        + "\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n{A<|im_end|>$}")]
    [InlineData("llama-2", "^[INST] Q [/INST] A $^[INST] Q [/INST]{ A $}")]
    public void Encode_AnswerOfNoWeight_IsReadAndNotTrainedOn(string template, string expected) =>
        Show(template, Ask, Answer with { Trains = false }, Ask, Answer).ShouldBe(expected);

    [Fact]
    public void Encode_EveryTemplate_LeavesAnswersOfNoWeightOut()
    {
        foreach (var template in InstructionTemplate.All)
        {
            var encoder = new InstructionEncoder(new CharacterTokenizer(), template);
            var both = encoder.Encode(new Instruction([Ask, Answer, Ask, Answer], ""));
            var last = encoder.Encode(new Instruction([Ask, Answer with { Trains = false }, Ask, Answer], ""));
            last.Ids.ShouldBe(both.Ids);
            last.Targets.ShouldBe(both.Targets / 2);
            last.Counts.Zip(both.Counts).ShouldAllBe(pair => !pair.First || pair.Second);
        }
    }

    [Fact]
    public void Encode_ToolsAndThoughts_AreTheTextThatTransformersMakes()
    {
        using var cases = JsonDocument.Parse(File.ReadAllText(Fixture.PathOf("chat.json")));
        using var folder = new TemporaryFolder();
        foreach (var item in cases.RootElement.EnumerateArray())
        {
            File.WriteAllText(folder["case.json"], item.GetRawText().ReplaceLineEndings(" "));
            var example = new InstructionReader().Read(folder["case.json"]).Single();
            string.Concat(InstructionTemplate.Find("chatml").Render(example).Select(piece => piece.Text))
                .ShouldBe(item.GetProperty("text").GetString()!.TrimEnd('\n'));
        }

        cases.RootElement.GetArrayLength().ShouldBe(4);
    }

    [Fact]
    public void Render_ToolsWithoutAFormForThem_AreRefusedOrCounted()
    {
        InstructionMessage call = Answer with { ToolCalls = [new("f", "{}")] }, given = new(InstructionRole.Tool, "R");
        var calls = new Instruction([Ask, call, given, Answer], "data:3");
        var offers = new Instruction([Ask, Answer with { Reasoning = "T" }, Ask, Answer], "data:4") { Tools = ["{}"] };
        foreach (var template in InstructionTemplate.All)
        {
            string[] unused = [.. template.Unused(offers)];
            if (template.Name == "chatml")
            {
                unused.ShouldBe(["messages.reasoning_content before the last question"]);
                continue;
            }

            unused.ShouldBe(["tools", "messages.reasoning_content"]);
            var error = Should.Throw<WiscaException>(() => template.Render(calls).Count());
            error.Message.ShouldBe($"data:3: it calls tools, which template {template.Name} has no form for");
            error.Hint!.ShouldStartWith("choose template chatml");
        }
    }

    [Fact]
    public void Prompt_IsWhatComesBeforeTheAnswer() =>
        InstructionTemplate.Find("chatml").Prompt([Ask]).ShouldBe("<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n");

    [Fact]
    public void Find_NoTemplate_NamesThem() =>
        Should
            .Throw<WiscaException>(() => InstructionTemplate.Find("jinja"))
            .Hint!.ShouldContain("plain, question, alpaca, chatml, llama-2, llama-3, gemma");

    [Theory]
    [InlineData(true, new[] { 4, 5, 5 }, 2, 1)]
    [InlineData(false, new[] { 4 }, 0, 3)]
    public void Encode_LongExamples_AreTruncatedOrDroppedAndCounted(bool truncates, int[] lengths, int truncated, int dropped)
    {
        // BOS, prompt, answer and EOS: 4, 7 and 9 positions, and one whose answer begins too late.
        Instruction[] examples = [Of("ab", "c"), Of("abc", "abc"), Of("ab", "abcdef"), Of("abcdefgh", "x")];
        var set = InstructionSet.Encode(
            examples, new InstructionEncoder(new CharacterTokenizer(), InstructionTemplate.Find("plain")), 5, truncates);
        set.Examples.Select(example => example.Length).ShouldBe(lengths);
        (set.Truncated, set.Dropped).ShouldBe((truncated, dropped));
        set.Examples.ShouldAllBe(example => example.Targets > 0);
        set.Examples[0].Targets.ShouldBe(2);
    }

    internal static Instruction Of(string prompt, string answer) =>
        new([new(InstructionRole.User, prompt), new(InstructionRole.Assistant, answer)], "test");

    private static string Show(string template, params InstructionMessage[] messages)
    {
        var encoded = new InstructionEncoder(new CharacterTokenizer(), InstructionTemplate.Find(template)).Encode(
            new Instruction(messages, ""));
        string text = "";
        bool open = false;
        for (int i = 0; i < encoded.Ids.Length; i++)
        {
            if (encoded.Counts[i] != open) text += open ? "}" : "{";
            open = encoded.Counts[i];
            text += encoded.Ids[i] switch { 0 => '^', 1 => '$', var id => (char)id };
        }

        return open ? text + "}" : text;
    }
}
