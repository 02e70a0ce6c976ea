using Wisca.Data.Instructions;
using Wisca.Tests;

namespace Wisca.Data.Tests.Instructions;

public sealed class InstructionReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_Alpaca_KeepsTheInputApart()
    {
        var examples = Read(
            """
            [{"instruction": "Add.", "input": "1 and 2", "output": "3"}, {"instruction": "Greet.", "output": "Hello."},
             {"instruction": "Part.", "input": "", "output": "Bye.", "id": 7}]
            """);
        examples.Select(example => example.Messages[0].Content).ShouldBe(["Add.", "Greet.", "Part."]);
        examples.Select(example => example.Messages[0].Input).ShouldBe(["1 and 2", "", ""]);
        examples.Select(example => example.Messages[1].Content).ShouldBe(["3", "Hello.", "Bye."]);
        examples[2].Place.ShouldEndWith("item 3");
    }

    [Fact]
    public void Read_LinesByOtherKeys_ReadsThem()
    {
        var examples = Read(
            "\uFEFF{\"question\": \"2+2?\", \"answer\": \"4\"}\r\n\r\n{\"question\": \"3+3?\", \"answer\": \"6\"}",
            new() { PromptKey = "question", CompletionKey = "answer" });
        examples.Select(example => example.Messages[1].Content).ShouldBe(["4", "6"]);
        examples[1].Place.ShouldEndWith(":3");
    }

    [Fact]
    public void Read_Chat_ReadsEveryTurn()
    {
        const string data =
            """{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A?"}, """
            + """{"role": "assistant", "content": "B."}, {"role": "user", "content": "C?"}, {"role": "assistant", "content": "D."}]}""";
        var example = Read(data).Single();
        example
            .Messages.Select(message => message.Role)
            .ShouldBe([
                InstructionRole.System, InstructionRole.User, InstructionRole.Assistant, InstructionRole.User, InstructionRole.Assistant,
            ]);
    }

    [Theory]
    [InlineData("[]", "has no example")]
    [InlineData("", "has no example")]
    [InlineData("{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\", \"completion\": }", "data:2: not valid JSON")]
    [InlineData("[{\"instruction\": \"a\",\n \"output\": \"b\"},\n {\"instruction\" 3}]", "data:3: not valid JSON")]
    [InlineData("[1]", "item 1: not a JSON object")]
    [InlineData("{\"text\": \"a\"}", "data:1: none of the keys messages, conversations, instruction and prompt; it has text")]
    [InlineData("{\"prompt\": \"a\"}", "data:1: no 'completion'")]
    [InlineData("{\"prompt\": \"a\", \"completion\": 4}", "data:1: 'completion' is no text")]
    [InlineData("{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\", \"completion\": \" \"}", "data:2: an answer is empty")]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", "the roles are user")]
    [InlineData(
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}, {\"role\": \"user\", \"content\": \"a\"}]}",
        "the roles are assistant, user")]
    [InlineData("{\"messages\": [{\"role\": \"robot\", \"content\": \"a\"}]}", "the role 'robot'")]
    [InlineData("{\"messages\": 3}", "'messages' is no list")]
    public void Read_WhatIsWrong_SaysWhere(string content, string message) =>
        Should.Throw<WiscaException>(() => Read(content)).Message.ShouldContain(message);

    [Fact]
    public void Read_FileThatIsNotThere_SaysSo() =>
        Should.Throw<WiscaException>(() => new InstructionReader().Read(_folder["none"])).Message.ShouldEndWith("none does not exist");

    [Fact]
    public void Read_EmptyAnswersDropped_CountsThem()
    {
        File.WriteAllText(_folder["data"], "{\"prompt\": \"a\", \"completion\": \"\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}");
        var reader = new InstructionReader(new() { DropsEmpty = true });
        reader.Read(_folder["data"]).Count.ShouldBe(1);
        (reader.Dropped, reader.Format).ShouldBe((1, InstructionFormat.Completion));
    }

    private IReadOnlyList<Instruction> Read(string content, InstructionReaderOptions? options = null)
    {
        File.WriteAllText(_folder["data"], content);
        return new InstructionReader(options).Read(_folder["data"]);
    }
}
