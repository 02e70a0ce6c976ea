using System.Text.Json;

namespace Wisca.Data.Instructions;

/// <summary>Makes examples of JSON objects, and counts what they say beyond that.</summary>
internal sealed class InstructionParser(InstructionReaderOptions options)
{
    private static readonly Dictionary<string, InstructionRole> Roles = new(StringComparer.Ordinal)
    {
        ["system"] = InstructionRole.System,
        ["developer"] = InstructionRole.System,
        ["user"] = InstructionRole.User,
        ["human"] = InstructionRole.User,
        ["assistant"] = InstructionRole.Assistant,
        ["gpt"] = InstructionRole.Assistant,
        ["chatgpt"] = InstructionRole.Assistant,
        ["bot"] = InstructionRole.Assistant,
        ["model"] = InstructionRole.Assistant,
        ["bing"] = InstructionRole.Assistant,
        ["bard"] = InstructionRole.Assistant,
        ["tool"] = InstructionRole.Tool,
        ["function"] = InstructionRole.Tool,
        ["ipython"] = InstructionRole.Tool,
        ["observation"] = InstructionRole.Tool,
        ["tool_response"] = InstructionRole.Tool,
        ["function_response"] = InstructionRole.Tool,
        ["tool_call"] = InstructionRole.Assistant,
        ["function_call"] = InstructionRole.Assistant,
    };

    private static readonly string[] Lists = ["messages", "conversations"];

    private readonly List<string> _unused = [];

    /// <summary>The format, once it is known.</summary>
    public InstructionFormat Format { get; set; } = options.Format;

    /// <summary>What examples say beyond what was read of them.</summary>
    public UnusedKeys Unused { get; } = new();

    /// <summary>Number of examples that were left out because an answer is empty.</summary>
    public int Dropped { get; private set; }

    /// <summary>Number of examples that were left out because none of their answers is to be trained on.</summary>
    public int Untrained { get; private set; }

    /// <summary>Makes an example; null where it is left out.</summary>
    /// <param name="item">The JSON.</param>
    /// <param name="place">Where it stands, for messages.</param>
    public Instruction? Read(JsonElement item, string place)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new WiscaException($"{place}: not a JSON object", "expected an object for each example");
        _unused.Clear();
        var fields = new InstructionFields(item, place);
        if (Format == InstructionFormat.Auto) Format = Detect(item, fields);
        List<InstructionMessage> messages =
        [
            .. Format switch
            {
                InstructionFormat.Alpaca => Alpaca(fields),
                InstructionFormat.Completion => Completion(fields),
                _ => WithoutOpening(Chat(fields)),
            },
        ];
        if (fields.IsZero("weight")) messages = [.. messages.Select(message => message with { Trains = false })];

        // Beside the conversation; a system message in it says the same, or says it better.
        if (messages[0].Role != InstructionRole.System && fields.FindText("system", "system_prompt") is { Length: > 0 } system)
            messages.Insert(0, new(InstructionRole.System, system));
        var example = new Instruction(messages, place) { Tools = ToolReader.Tools(fields) };
        Unused.Add([.. fields.Unused, .. _unused]);
        CheckTurns(messages, place);
        if (messages.Exists(message => message.Trains && message.IsEmptyAnswer))
        {
            if (!options.DropsEmpty)
                throw new WiscaException(
                    $"{place}: an answer is empty, expected text to train on",
                    "remove the example, or leave such out with data.empty: drop");
            Dropped++;
            return null;
        }

        if (messages.Exists(message => message.Role == InstructionRole.Assistant && message.Trains)) return example;
        Untrained++;
        return null;
    }

    private InstructionFormat Detect(JsonElement item, InstructionFields fields) =>
        Lists.Any(list => fields.Find(list) is not null) ? InstructionFormat.Chat
        : fields.Find("instruction") is not null ? InstructionFormat.Alpaca
        : fields.Find(options.PromptKey) is { } prompt
            ? prompt.ValueKind == JsonValueKind.Array ? InstructionFormat.Chat : InstructionFormat.Completion
        : throw new WiscaException(
            $"{fields.Place}: none of the keys {string.Join(", ", Lists)}, instruction and {options.PromptKey}; it has "
            + $"{string.Join(", ", item.EnumerateObject().Select(property => property.Name))}",
            "name the keys with data.prompt_key and data.completion_key, as question and answer");

    private static IEnumerable<InstructionMessage> Alpaca(InstructionFields fields)
    {
        foreach (var message in History(fields)) yield return message;
        yield return new(InstructionRole.User, fields.FindText("instruction") ?? throw fields.Missing("instruction"))
        {
            Input = fields.FindText("input", "context") ?? "",
        };
        string? answer = fields.FindText("output", "response");
        if (answer is null && !fields.Has("output") && !fields.Has("response")) throw fields.Missing("output");
        yield return new(InstructionRole.Assistant, answer ?? "");
    }

    /// <summary>The turns before an instruction: pairs of what was asked and answered.</summary>
    private static IEnumerable<InstructionMessage> History(InstructionFields fields)
    {
        if (fields.Find("history") is not { } history) yield break;
        var wrong = new WiscaException($"{fields.Place}: 'history' is no list of pairs", "expected [[question, answer], ...]");
        if (history.ValueKind != JsonValueKind.Array) throw wrong;
        foreach (var turn in history.EnumerateArray())
        {
            if (turn.ValueKind != JsonValueKind.Array || turn.GetArrayLength() != 2) throw wrong;
            yield return new(InstructionRole.User, Side(turn[0]));
            yield return new(InstructionRole.Assistant, Side(turn[1]));
        }

        string Side(JsonElement side) => side.ValueKind switch
        {
            JsonValueKind.Null => "",
            JsonValueKind.String => side.GetString()!,
            _ => throw wrong,
        };
    }

    private IEnumerable<InstructionMessage> Completion(InstructionFields fields)
    {
        yield return new(InstructionRole.User, fields.FindText(options.PromptKey) ?? throw fields.Missing(options.PromptKey));
        string? answer = fields.FindText(options.CompletionKey);
        if (answer is null && !fields.Has(options.CompletionKey)) throw fields.Missing(options.CompletionKey);
        yield return new(InstructionRole.Assistant, answer ?? "");
    }

    /// <summary>What an assistant says before anybody has asked answers nothing; ShareGPT's conversations were often cut so.</summary>
    private IEnumerable<InstructionMessage> WithoutOpening(List<InstructionMessage> messages)
    {
        int first = messages.FindIndex(message => message.Role == InstructionRole.User);
        if (first <= 0 || !messages.Skip(first).Any(message => message.Role == InstructionRole.Assistant)) return messages;
        int opening = messages.Take(first).Count(message => message.Role == InstructionRole.Assistant);
        if (opening == 0) return messages;
        _unused.Add("messages of an assistant before the first user's");
        return messages.Where((message, index) => index >= first || message.Role != InstructionRole.Assistant);
    }

    private List<InstructionMessage> Chat(InstructionFields fields)
    {
        foreach (string list in Lists)
        {
            if (fields.Find(list) is { } messages) return Messages(fields, list, messages);
        }

        if (fields.Find(options.PromptKey) is not { ValueKind: JsonValueKind.Array } prompt) throw fields.Missing(Lists[0]);

        // What is completed is not trained on, whoever said it.
        return
        [
            .. Messages(fields, options.PromptKey, prompt).Select(message => message with { Trains = false }),
            .. Messages(
                fields, options.CompletionKey, fields.Find(options.CompletionKey) ?? throw fields.Missing(options.CompletionKey)),
        ];
    }

    private List<InstructionMessage> Messages(InstructionFields fields, string key, JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array)
            throw new WiscaException($"{fields.Place}: '{key}' is no list", "expected objects with role and content");
        List<InstructionMessage> messages = [.. list.EnumerateArray().Select(entry => Message(entry, fields.Place))];
        return messages.Count > 0 ? messages : throw new WiscaException($"{fields.Place}: '{key}' is empty", "drop the example");
    }

    private InstructionMessage Message(JsonElement entry, string place)
    {
        if (entry.ValueKind != JsonValueKind.Object)
            throw new WiscaException($"{place}: a message is no object", "expected objects with role and content");
        var fields = new InstructionFields(entry, place);
        string name = fields.FindText("role", "from") ?? throw fields.Missing("role");
        if (!Roles.TryGetValue(name, out var role))
            throw new WiscaException($"{place}: the role '{name}'", $"expected one of {string.Join(", ", Roles.Keys)}");
        if (!fields.Has("content") && !fields.Has("value") && !fields.Has("tool_calls")) throw fields.Missing("content");
        string content = Content(fields);
        bool calls = name is "function_call" or "tool_call";
        var message = new InstructionMessage(role, calls ? "" : content)
        {
            Trains = Trains(fields, role),
            Reasoning = fields.FindText("reasoning_content") is { Length: > 0 } reasoning ? reasoning : null,
            ToolCalls = calls ? ToolReader.Calls(content, place) : ToolReader.Calls(fields),
        };

        // Which call a result belongs to: the order says it.
        fields.Find("tool_call_id");
        _unused.AddRange(fields.Unused.Select(key => $"messages.{key}"));
        if (role == InstructionRole.Assistant) return message;
        if (message.Reasoning is not null) _unused.Add("messages.reasoning_content");
        if (message.ToolCalls.Count > 0) _unused.Add("messages.tool_calls");
        return message with { Reasoning = null, ToolCalls = [] };
    }

    /// <summary>A message's text; where it is a list of parts, that of its texts.</summary>
    private string Content(InstructionFields fields)
    {
        if ((fields.Find("content") ?? fields.Find("value")) is not { } content) return "";
        if (content.ValueKind == JsonValueKind.String) return content.GetString()!;
        if (content.ValueKind != JsonValueKind.Array)
            throw new WiscaException($"{fields.Place}: 'content' is no text", "expected a string, or a list of parts");
        return string.Concat(content.EnumerateArray().Select(part =>
        {
            if (part.ValueKind == JsonValueKind.String) return part.GetString();
            if (part.ValueKind != JsonValueKind.Object)
                throw new WiscaException($"{fields.Place}: a part of 'content' is no object", "expected objects with type and text");
            var keys = new InstructionFields(part, fields.Place);
            string type = keys.FindText("type") ?? "text";
            if (type == "text") return keys.FindText("text");
            _unused.Add($"messages.content of type {type}");
            return "";
        }));
    }

    /// <summary>Whether a message is trained on: what its weight (OpenAI) or its train (axolotl) says.</summary>
    private bool Trains(InstructionFields fields, InstructionRole role)
    {
        bool? weight = fields.Find("weight") switch
        {
            null => null,
            { ValueKind: JsonValueKind.Number } number when number.GetDouble() is 0 or 1 => number.GetDouble() == 1,
            var other => throw new WiscaException(
                $"{fields.Place}: 'weight' is {other.Value.GetRawText()}, expected 0 or 1",
                "an answer is trained on or not: choose one of the two for each"),
        };
        bool? train = fields.Find("train") switch
        {
            null => null,
            { ValueKind: JsonValueKind.True or JsonValueKind.False } truth => truth.GetBoolean(),
            var other => throw new WiscaException(
                $"{fields.Place}: 'train' is {other.Value.GetRawText()}, expected true or false", "mend the example"),
        };
        if (role == InstructionRole.Assistant) return weight != false && train != false;
        if (weight == true) _unused.Add("messages.weight of what is no answer");
        if (train == true) _unused.Add("messages.train of what is no answer");
        return false;
    }

    private static void CheckTurns(List<InstructionMessage> messages, string place)
    {
        InstructionRole? before = null;
        bool good = messages.Exists(message => message.Role == InstructionRole.Assistant);
        foreach (var message in messages)
        {
            good &= message.Role switch
            {
                InstructionRole.System => before is null,
                InstructionRole.User => before is null or InstructionRole.System or InstructionRole.Assistant,
                InstructionRole.Assistant => before is InstructionRole.User or InstructionRole.Tool,
                _ => before is InstructionRole.Assistant or InstructionRole.Tool,
            };
            before = message.Role;
        }

        if (!good)
            throw new WiscaException(
                $"{place}: the roles are {string.Join(", ", messages.Select(message => message.Role.Name()))}",
                "expected system or not, and then user and assistant in turn, with what tools gave behind the answer that called them");
    }
}
