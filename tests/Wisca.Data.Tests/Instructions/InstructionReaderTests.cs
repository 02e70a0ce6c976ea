using System.Text.Json.Serialization;
using Parquet.Serialization;
using Wisca.Data.Instructions;
using Wisca.Data.Tests.Tokenizers;
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

    [Theory]
    [InlineData("""{"instruction": "Q", "input": null, "output": "A", "system": null, "history": null}""", "user:Q assistant:A")]
    [InlineData("""{"instruction": "Q", "context": "C", "response": "A", "category": "x"}""", "user:Q|C assistant:A")]
    [InlineData(
        """{"instruction": "Q", "output": "A", "system": "S", "history": [["q", "a"], ["r", "b"]]}""",
        "system:S user:q assistant:a user:r assistant:b user:Q assistant:A")]
    [InlineData("""{"instruction": "Q", "output": "A", "system": "", "history": []}""", "user:Q assistant:A")]
    [InlineData("""{"system_prompt": "S", "prompt": "Q", "completion": "A"}""", "system:S user:Q assistant:A")]
    [InlineData("""{"messages": null, "instruction": "Q", "output": "A"}""", "user:Q assistant:A")]
    [InlineData(
        """{"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}""",
        "system:S user:Q assistant:A")]
    [InlineData(
        """{"conversations": [{"from": "system", "value": "S"}, {"from": "gpt", "value": "cut off"}, {"from": "human", "value": "Q"}, """
        + """{"from": "gpt", "value": "A"}]}""",
        "system:S user:Q assistant:A")]
    [InlineData(
        """{"conversations": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "system": "S"}""",
        "system:S user:Q assistant:A")]
    [InlineData(
        """{"messages": [{"role": "developer", "content": "S"}, {"role": "user", "content": "Q"}, """
        + """{"role": "assistant", "content": "A"}], "system": "other"}""",
        "system:S user:Q assistant:A")]
    [InlineData(
        """{"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}, {"type": "image"}, "R"]}, """
        + """{"role": "assistant", "content": "A"}]}""",
        "user:QR assistant:A")]
    [InlineData(
        """{"prompt": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, """
        + """{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}""",
        "user:q -assistant:a user:Q assistant:A")]
    [InlineData(
        """{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}, """
        + """{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "weight": 1.0}]}""",
        "user:q -assistant:a user:Q assistant:A")]
    [InlineData(
        """{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "", "train": false}, """
        + """{"from": "user", "value": "Q", "train": false}, {"from": "chatgpt", "value": "A", "train": true}]}""",
        "user:q -assistant: user:Q assistant:A")]
    [InlineData(
        """{"conversations": [{"from": "human", "value": "Q"}, """
        + """{"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": [1,\"ü\"]}}"}, """
        + """{"from": "observation", "value": "R"}, """
        + """{"from": "gpt", "value": "A"}], "tools": "[{\"name\":\"f\"}]"}""",
        """user:Q assistant:<f {"x": [1, "ü"]}> tool:R assistant:A tools:{"name": "f"}""")]
    [InlineData(
        """{"messages": [{"role": "user", "content": "Q"}, """
        + """{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": """
        + """{"name": "f", "arguments": "{}"}}, {"name": "g"}]}, """
        + """{"role": "tool", "tool_call_id": "1", "content": "R"}, """
        + """{"role": "assistant", "content": "A", "reasoning_content": "T"}], "tools": [{"name": "f"}]}""",
        """user:Q assistant:<f {}><g {}> tool:R assistant:(T)A tools:{"name": "f"}""")]
    public void Read_WhatExamplesSay_TakesPart(string line, string expected)
    {
        var example = Read(line).Single();
        Show(example).ShouldBe(expected);
    }

    [Theory]
    [InlineData(
        """{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0.5}]}""",
        "data:1: 'weight' is 0.5, expected 0 or 1")]
    [InlineData(
        """{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "train": "no"}]}""",
        "data:1: 'train' is \"no\", expected true or false")]
    [InlineData("""{"instruction": "q", "output": "a", "history": [["x"]]}""", "data:1: 'history' is no list of pairs")]
    [InlineData("""{"instruction": "q", "output": "a", "tools": {"name": "f"}}""", "data:1: 'tools' is no list")]
    [InlineData("""{"instruction": "q", "output": null}""", "data:1: an answer is empty")]
    [InlineData("""{"instruction": "q", "output": "\ud800"}""", "data:1: a text that escapes half a surrogate pair")]
    [InlineData("""{"instruction": "q", "instruction": "r", "output": "a"}""", "data:1: an object names a key twice")]
    [InlineData("""{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt"}]}""", "data:1: no 'content'")]
    [InlineData(
        """{"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "f()"}]}""",
        "a function_call:1: not valid JSON")]
    [InlineData(
        """{"messages": [{"role": "user", "content": "q"}, {"role": "tool", "content": "r"}, {"role": "assistant", "content": "a"}]}""",
        "the roles are user, tool, assistant")]
    public void Read_WhatCannotTakePart_IsRefused(string line, string expected) =>
        Should.Throw<WiscaException>(() => Read(line)).Message.ShouldContain(expected);

    [Fact]
    public void Read_WeightOfAnExample_IsThatOfItsAnswers() =>
        Read(
            """
            {"instruction": "q", "output": "a", "weight": 0}
            {"instruction": "Q", "output": "A", "weight": 1}
            """).Single().Messages[0].Content.ShouldBe("Q");

    [Fact]
    public void Read_FileInLatin1_NamesTheLine()
    {
        File.WriteAllBytes(
            _folder["data"],
            [.. "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \""u8, 0xE9, .. "\", \"completion\": \"b\"}"u8]);
        Should.Throw<WiscaException>(() => new InstructionReader().Read(_folder["data"])).Message.ShouldEndWith(
            "data:2: byte 0xE9 is not valid UTF-8");
        File.WriteAllText(_folder["data"], "[]", System.Text.Encoding.Unicode);
        Should.Throw<WiscaException>(() => new InstructionReader().Read(_folder["data"])).Message.ShouldEndWith(
            "data is in UTF-16, which is not read");
    }

    [Fact]
    public void Unused_KeysThatSaySomething_AreCountedALineAKey()
    {
        File.WriteAllText(
            _folder["data"],
            """
            {"id": 1, "messages": [{"role": "user", "content": "q", "name": "n"}, {"role": "assistant", "content": "a"}], "images": ["x"]}
            {"id": 2, "messages": [{"role": "user", "content": "q", "weight": 1}, {"role": "assistant", "content": "a"}], "images": []}
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "videos": null, "images": ["y"]}
            {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "image"}]}, {"role": "assistant", "content": "a"}]}
            """);
        var reader = new InstructionReader();
        reader.Read(_folder["data"]).Count.ShouldBe(4);
        reader
            .Unused.Describe()
            .ShouldBe([
                "images: in 2 of 4 examples, not used", "messages.content of type image: in 1 of 4 examples, not used",
                "messages.weight of what is no answer: in 1 of 4 examples, not used", "not used either: id, messages.name",
            ]);
        reader.Unused.Counts.ShouldContain(("images", 2));
    }

    [Fact]
    public void Read_ExampleWithoutAnswerToTrainOn_IsLeftOutAndCounted()
    {
        File.WriteAllText(
            _folder["data"],
            """
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}]}
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
            """);
        var reader = new InstructionReader();
        reader.Read(_folder["data"]).Count.ShouldBe(1);
        reader.Untrained.ShouldBe(1);
    }

    [Fact]
    public void Read_NullAnswersDropped_CountsThem()
    {
        File.WriteAllText(
            _folder["data"], "{\"instruction\": \"a\", \"output\": null}\n{\"instruction\": \"a\", \"output\": \"b\"}");
        var reader = new InstructionReader(new() { DropsEmpty = true });
        reader.Read(_folder["data"]).Count.ShouldBe(1);
        reader.Dropped.ShouldBe(1);
    }

    [Theory]
    [InlineData("data.json.gz")]
    [InlineData("data.jsonl.zst")]
    [InlineData("data")]
    public void Read_Compressed_IsReadAsItIs(string name)
    {
        byte[] lines = "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"c\", \"completion\": \"d\"}"u8.ToArray(),
            array = "[{\"prompt\": \"a\", \"completion\": \"b\"}, {\"prompt\": \"c\", \"completion\": \"d\"}]"u8.ToArray();
        foreach (byte[] content in (byte[][])[lines, array])
        {
            using (var file = File.Create(_folder[name]))
            using (Stream packed = name.EndsWith("zst", StringComparison.Ordinal)
                ? new ZstdSharp.CompressionStream(file)
                : new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionLevel.Fastest))
                packed.Write(content);
            new InstructionReader().Read(_folder[name]).Select(Show).ShouldBe(["user:a assistant:b", "user:c assistant:d"]);
        }
    }

    [Fact]
    public async Task Read_ParquetOfChats_ReadsListsOfStructs()
    {
        ChatRow[] rows =
        [
            new() { Messages = [new("user", "q", null), new("assistant", "a", 0), new("user", "r", null), new("assistant", "b", 1)] },
            new() { Messages = [new("user", "s", null), new("assistant", "c", null)], Images = ["x.jpg"] },
        ];
        using (var stream = File.Create(_folder["chats.parquet"])) await ParquetSerializer.SerializeAsync(rows, stream);
        var reader = new InstructionReader();
        reader
            .Read(_folder["chats.parquet"])
            .Select(Show)
            .ShouldBe(["user:q -assistant:a user:r assistant:b", "user:s assistant:c"]);
        reader.Unused.Describe().ShouldBe(["images: in 1 of 2 examples, not used"]);
        var error = Should.Throw<WiscaException>(() => new InstructionReader().Read(Fixture.PathOf("chat.parquet")));
        error.Message.ShouldEndWith("chat.parquet: row 2: 'messages' is empty");
    }

    [Theory]
    [InlineData(
        "instruct-silent-keys/alpaca-history-system.jsonl",
        "system:You are a pirate. user:earlier q assistant:earlier a user:q 0 assistant:a 0",
        "")]
    [InlineData("instruct-silent-keys/chat-weight.jsonl", "user:q0 -assistant:bad user:again assistant:good0", "")]
    [InlineData(
        "instruct-silent-keys/chat-images-tools.jsonl", """user:question 0? assistant:answer 0. tools:{"type": "function"}""",
        "images: in 8 of 8 examples, not used")]
    [InlineData("instruct-null-and-sharegpt/sharegpt.jsonl", "user:q 0 assistant:a 0", "not used either: id")]
    [InlineData("instruct-null-and-sharegpt/conversations-role-content.jsonl", "user:question 0? assistant:answer 0.", "")]
    [InlineData("instruct-null-and-sharegpt/dolly.jsonl", "user:q 0|c assistant:a 0", "")]
    [InlineData("instruct-null-and-sharegpt/null-input.jsonl", "user:q 0 assistant:a 0", "")]
    public void Read_Cases_AreReadAndCounted(string name, string first, string unused)
    {
        string path = TestData.Require(["cases", .. name.Split('/')]);
        var reader = new InstructionReader();
        var examples = reader.Read(path);
        examples.Count.ShouldBe(8);
        Show(examples[0]).ShouldBe(first);
        string.Join("\n", reader.Unused.Describe()).ShouldBe(unused);
    }

    private sealed class ChatRow
    {
        [JsonPropertyName("messages")]
        public List<ChatMessage> Messages { get; set; } = [];

        [JsonPropertyName("images")]
        public List<string> Images { get; set; } = [];
    }

    private sealed class ChatMessage(string role, string content, double? weight)
    {
        public ChatMessage()
            : this("", "", null)
        {
        }

        [JsonPropertyName("role")]
        public string Role { get; set; } = role;

        [JsonPropertyName("content")]
        public string Content { get; set; } = content;

        [JsonPropertyName("weight")]
        public double? Weight { get; set; } = weight;
    }

    private static string Show(Instruction example) =>
        string.Join(
            ' ',
            example
                .Messages.Select(message =>
                    $"{(message is { Role: InstructionRole.Assistant, Trains: false } ? "-" : "")}{message.Role.Name()}:"
                    + (message.Reasoning is { } thought ? $"({thought})" : "")
                    + message.Content
                    + (message.Input.Length > 0 ? $"|{message.Input}" : "")
                    + string.Concat(message.ToolCalls.Select(call => $"<{call.Name} {call.Arguments}>")))
                .Concat(example.Tools.Select(tool => $"tools:{tool}")));

    private IReadOnlyList<Instruction> Read(string content, InstructionReaderOptions? options = null)
    {
        File.WriteAllText(_folder["data"], content);
        return new InstructionReader(options).Read(_folder["data"]);
    }
}
