namespace Wisca.Data.Instructions;

/// <summary>
/// Tools, calls of them, what they gave, and what was thought before an answer, as text of messages in the form of Qwen's models (and
/// Hermes'). What was thought stays behind the last question only: a model does not see older thoughts when it answers.
/// </summary>
internal static class ToolText
{
    private const string Before =
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            + "You are provided with function signatures within <tools></tools> XML tags:\n<tools>",
        Behind =
            "\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> "
            + "XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>";

    /// <summary>The messages of an example, of a system message, questions and answers alone.</summary>
    public static IReadOnlyList<InstructionMessage> Of(Instruction example)
    {
        var messages = new List<InstructionMessage>();
        int question = LastQuestion(example.Messages);
        for (int index = 0; index < example.Messages.Count; index++)
        {
            var message = example.Messages[index];
            if (message.Role == InstructionRole.Assistant)
            {
                messages.Add(message with { Content = Answer(message, thinks: index > question) });
            }
            else if (message.Role == InstructionRole.Tool)
            {
                // What several calls gave is one turn.
                string response = $"<tool_response>\n{message.Content}\n</tool_response>";
                if (example.Messages[index - 1].Role == InstructionRole.Tool)
                    messages[^1] = messages[^1] with { Content = $"{messages[^1].Content}\n{response}" };
                else messages.Add(new InstructionMessage(InstructionRole.User, response));
            }
            else
            {
                messages.Add(message);
            }
        }

        if (example.Tools.Count == 0) return messages;
        string tools = Before + string.Concat(example.Tools.Select(tool => "\n" + tool)) + Behind;
        if (messages[0].Role == InstructionRole.System) messages[0] = messages[0] with { Content = $"{messages[0].Content}\n\n{tools}" };
        else messages.Insert(0, new InstructionMessage(InstructionRole.System, tools));
        return messages;
    }

    /// <summary>The place of the last message in which somebody asks.</summary>
    public static int LastQuestion(IReadOnlyList<InstructionMessage> messages)
    {
        int index = messages.Count - 1;
        while (index >= 0 && messages[index].Role != InstructionRole.User) index--;
        return index;
    }

    private static string Answer(InstructionMessage message, bool thinks)
    {
        string content = message.Content;
        if (thinks && message.Reasoning is { } reasoning)
            content = $"<think>\n{reasoning.Trim('\n')}\n</think>\n\n{content.TrimStart('\n')}";
        for (int index = 0; index < message.ToolCalls.Count; index++)
        {
            string between = index > 0 || message.Content.Length > 0 ? "\n" : "";
            var call = message.ToolCalls[index];
            content += $"{between}<tool_call>\n{{\"name\": \"{call.Name}\", \"arguments\": {call.Arguments}}}\n</tool_call>";
        }

        return content;
    }
}
