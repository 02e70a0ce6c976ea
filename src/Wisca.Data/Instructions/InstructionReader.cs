using System.Text.Json;
using Wisca.Files;

namespace Wisca.Data.Instructions;

/// <summary>
/// Reads instruction data: files of one JSON array, or of one JSON object a line (told by the first character). Each file is read whole.
/// Keys that are not known are passed over.
/// </summary>
public sealed class InstructionReader
{
    private readonly InstructionReaderOptions _options;

    /// <param name="options">How examples are read; null for the defaults.</param>
    public InstructionReader(InstructionReaderOptions? options = null) => _options = options ?? new InstructionReaderOptions();

    /// <summary>Number of examples that were left out because an answer is empty.</summary>
    public int Dropped { get; private set; }

    /// <summary>The format of what was read last; <see cref="InstructionFormat.Auto"/> before that.</summary>
    public InstructionFormat Format { get; private set; }

    /// <summary>Reads the examples of a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">
    /// It cannot be read, is no JSON, has an example without the keys of its format or with an empty answer, or has none. The message names
    /// the file and the line or the item.
    /// </exception>
    public IReadOnlyList<Instruction> Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "name a file of instruction data", exception);
        }

        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        var content = bytes.AsMemory(bytes.AsSpan().StartsWith(mark) ? mark.Length : 0);
        Format = _options.Format;
        int first = content.Span.IndexOfAnyExcept(" \t\r\n"u8);
        List<Instruction> examples =
        [
            .. (first >= 0 && content.Span[first] == '[' ? Items(path, content) : Lines(path, content)).OfType<Instruction>(),
        ];
        return examples.Count > 0
            ? examples
            : throw new WiscaException($"{path} has no example", "expected a JSON array of objects, or one JSON object a line");
    }

    private IEnumerable<Instruction?> Items(string path, ReadOnlyMemory<byte> content)
    {
        using var document = Parse(path, content, 1);
        int number = 0;
        foreach (var item in document.RootElement.EnumerateArray()) yield return Example(item, $"{path}: item {++number}");
    }

    private IEnumerable<Instruction?> Lines(string path, ReadOnlyMemory<byte> content)
    {
        for (int number = 1; content.Length > 0; number++)
        {
            int end = content.Span.IndexOf((byte)'\n');
            var line = end < 0 ? content : content[..end];
            content = end < 0 ? default : content[(end + 1)..];
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) < 0) continue;
            using var document = Parse(path, line, number);
            yield return Example(document.RootElement, $"{path}:{number}");
        }
    }

    private static JsonDocument Parse(string path, ReadOnlyMemory<byte> json, int line)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException exception)
        {
            throw new WiscaException(
                $"{path}:{line + (exception.LineNumber ?? 0)}: no JSON: {Reason(exception)}",
                "expected a JSON array of objects, or one JSON object a line", exception);
        }
    }

    /// <summary>The first sentence: what follows counts lines in its own way.</summary>
    private static string Reason(JsonException exception)
    {
        string message = exception.Message.Split(['\n', '\r'])[0];
        int place = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return (place < 0 ? message : message[..place]).TrimEnd('.');
    }

    /// <summary>An example; null where it is left out.</summary>
    private Instruction? Example(JsonElement item, string place)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new WiscaException($"{place}: not a JSON object", "expected an object for each example");
        if (Format == InstructionFormat.Auto) Format = Detect(item, place);
        List<InstructionMessage> messages = Format switch
        {
            InstructionFormat.Alpaca =>
            [
                new(InstructionRole.User, Text(item, "instruction", place))
                {
                    Input = item.TryGetProperty("input", out _) ? Text(item, "input", place) : "",
                },
                new(InstructionRole.Assistant, Text(item, "output", place)),
            ],
            InstructionFormat.Completion =>
            [
                new(InstructionRole.User, Text(item, _options.PromptKey, place)),
                new(InstructionRole.Assistant, Text(item, _options.CompletionKey, place)),
            ],
            _ => Chat(item, place),
        };
        if (messages.All(message => message.Role != InstructionRole.Assistant || !string.IsNullOrWhiteSpace(message.Content)))
            return new Instruction(messages, place);
        if (!_options.DropsEmpty)
            throw new WiscaException(
                $"{place}: an answer is empty, expected text to train on",
                "remove the example, or leave such out with data.empty: drop");
        Dropped++;
        return null;
    }

    private InstructionFormat Detect(JsonElement item, string place) =>
        item.TryGetProperty("messages", out _) ? InstructionFormat.Chat
        : item.TryGetProperty("instruction", out _) ? InstructionFormat.Alpaca
        : item.TryGetProperty(_options.PromptKey, out _) ? InstructionFormat.Completion
        : throw new WiscaException(
            $"{place}: none of the keys messages, instruction and {_options.PromptKey}; it has "
            + $"{string.Join(", ", item.EnumerateObject().Select(property => property.Name))}",
            "name the keys with data.prompt_key and data.completion_key, as question and answer");

    private static List<InstructionMessage> Chat(JsonElement item, string place)
    {
        if (!item.TryGetProperty("messages", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new WiscaException($"{place}: 'messages' is no list", "expected objects with role and content");
        var messages = new List<InstructionMessage>();
        foreach (var entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object)
                throw new WiscaException($"{place}: a message is no object", "expected objects with role and content");
            string role = Text(entry, "role", place);
            messages.Add(new InstructionMessage(
                EnumNames.TryParse<InstructionRole>(role, out var known)
                    ? known
                    : throw new WiscaException($"{place}: the role '{role}'", "expected system, user or assistant"),
                Text(entry, "content", place)));
        }

        var turns = messages.Skip(messages is [{ Role: InstructionRole.System }, ..] ? 1 : 0).ToList();
        if (
            turns.Count < 2
            || turns.Where((message, index) => message.Role != (index % 2 == 0 ? InstructionRole.User : InstructionRole.Assistant)).Any())
            throw new WiscaException(
                $"{place}: the roles are {string.Join(", ", messages.Select(message => message.Role.Name()))}",
                "expected system or not, and then user and assistant in turn");
        return messages;
    }

    private static string Text(JsonElement item, string key, string place) =>
        !item.TryGetProperty(key, out var value)
            ? throw new WiscaException(
                $"{place}: no '{key}'",
                $"it has {string.Join(", ", item.EnumerateObject().Select(property => property.Name))}")
        : value.ValueKind == JsonValueKind.String ? value.GetString()!
        : throw new WiscaException($"{place}: '{key}' is no text", "expected a string");
}
