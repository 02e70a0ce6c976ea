using System.Collections.Immutable;

namespace Wisca.Data.Instructions;

/// <summary>
/// Turns a conversation into text. A fixed catalogue: the Jinja template that a tokenizer may bring along (<c>chat_template</c>) is not
/// interpreted, so for a model that was trained on conversations choose the one it was trained with.
/// </summary>
public sealed class InstructionTemplate
{
    private const string AlpacaPlain =
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.",
        AlpacaInput =
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that "
            + "appropriately completes the request.";

    private readonly Func<IReadOnlyList<InstructionMessage>, IEnumerable<InstructionPiece>> _render;

    private InstructionTemplate(
        string name, string? endMarker, Func<IReadOnlyList<InstructionMessage>, IEnumerable<InstructionPiece>> render
    ) => (Name, EndMarker, _render) = (name, endMarker, render);

    /// <summary>All templates.</summary>
    public static ImmutableArray<InstructionTemplate> All { get; } =
    [
        new(
            "plain",
            null,
            messages =>
                messages.Select(message =>
                    message.Role == InstructionRole.Assistant
                        ? InstructionPiece.Answer(message, message.Content)
                        : new InstructionPiece(
                            message.Role == InstructionRole.System ? message.Content + "\n\n" : message.Whole,
                            false))),
        new("question", null, messages => messages.Select((message, index) => message.Role switch
        {
            InstructionRole.System => new InstructionPiece(message.Content + "\n\n", false),
            InstructionRole.User => new InstructionPiece($"Question: {message.Whole}\nAnswer:", false),
            _ => InstructionPiece.Answer(message, " " + message.Content),
        })),
        new("alpaca", null, Alpaca),
        new("chatml", "<|im_end|>", messages => Marked(messages, role => $"<|im_start|>{role.Name()}\n", "<|im_end|>", "\n"))
        {
            TakesTools = true,
        },
        new("llama-2", null, Llama2),
        new(
            "llama-3",
            "<|eot_id|>",
            messages => Marked(messages, role => $"<|start_header_id|>{role.Name()}<|end_header_id|>\n\n", "<|eot_id|>", "")),
        new(
            "gemma",
            "<end_of_turn>",
            messages =>
                Marked(
                    SystemAsUser(messages),
                    role => $"<start_of_turn>{(role == InstructionRole.Assistant ? "model" : "user")}\n",
                    "<end_of_turn>",
                    "\n")),
    ];

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>What each answer ends with, as a token of its own in a model that knows the template; null where that is EOS.</summary>
    public string? EndMarker { get; }

    /// <summary>
    /// Whether it has a form for tools, calls of them, what they gave, and for what was thought before an answer: that of Qwen's models,
    /// which Hermes' is as well.
    /// </summary>
    public bool TakesTools { get; private init; }

    /// <summary>Finds a template.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="WiscaException">There is none of that name.</exception>
    public static InstructionTemplate Find(string name) => All.FirstOrDefault(template => template.Name == name)
        ?? throw new WiscaException(
            $"there is no template '{name}'",
            $"expected one of {string.Join(", ", All.Select(template => template.Name))}; "
            + "a tokenizer's own chat_template is not interpreted");

    /// <summary>The template of a format where none was chosen: that of Alpaca, the text as it is, or ChatML.</summary>
    /// <param name="format">The format of the data.</param>
    public static InstructionTemplate For(InstructionFormat format) => Find(format switch
    {
        InstructionFormat.Alpaca => "alpaca",
        InstructionFormat.Chat => "chatml",
        _ => "plain",
    });

    /// <summary>A prompt up to where the answer begins, as the model was trained to continue it.</summary>
    /// <param name="messages">The conversation, of which the last message is the user's.</param>
    public string Prompt(IReadOnlyList<InstructionMessage> messages) =>
        string.Concat(
            _render([.. messages, new InstructionMessage(InstructionRole.Assistant, "")]).SkipLast(1).Select(piece => piece.Text));

    /// <summary>The pieces of a conversation, in order; an answer is one piece, with its end marker.</summary>
    /// <exception cref="WiscaException">It calls tools, and the template has no form for that.</exception>
    internal IEnumerable<InstructionPiece> Render(Instruction example)
    {
        if (TakesTools) return _render(ToolText.Of(example));
        if (example.Messages.Any(message => message.Role == InstructionRole.Tool || message.ToolCalls.Count > 0))
            throw new WiscaException(
                $"{example.Place}: it calls tools, which template {Name} has no form for",
                $"choose template {string.Join(" or ", All.Where(template => template.TakesTools).Select(template => template.Name))}, "
                + "or drop the example");
        return _render(example.Messages);
    }

    /// <summary>The keys of an example that it has no form for.</summary>
    internal IEnumerable<string> Unused(Instruction example)
    {
        if (!TakesTools && example.Tools.Count > 0) yield return "tools";
        int question = TakesTools ? ToolText.LastQuestion(example.Messages) : int.MaxValue;
        if (example.Messages.Take(question).Any(message => message.Reasoning is not null))
            yield return $"messages.reasoning_content{(TakesTools ? " before the last question" : "")}";
    }

    private static IEnumerable<InstructionPiece> Alpaca(IReadOnlyList<InstructionMessage> messages)
    {
        string? opening = messages[0].Role == InstructionRole.System ? messages[0].Content : null;
        bool first = true;
        foreach (var message in messages.Where(message => message.Role != InstructionRole.System))
        {
            if (message.Role == InstructionRole.Assistant)
            {
                yield return InstructionPiece.Answer(message, message.Content);
                continue;
            }

            string preamble = first ? opening ?? (message.Input.Length > 0 ? AlpacaInput : AlpacaPlain) : "";
            string input = message.Input.Length > 0 ? $"### Input:\n{message.Input}\n\n" : "";
            yield return new InstructionPiece($"{preamble}\n\n### Instruction:\n{message.Content}\n\n{input}### Response:", false);
            first = false;
        }
    }

    private static IEnumerable<InstructionPiece> Llama2(IReadOnlyList<InstructionMessage> messages)
    {
        string system = messages[0].Role == InstructionRole.System ? $"<<SYS>>\n{messages[0].Content}\n<</SYS>>\n\n" : "";
        foreach (var message in messages.Where(message => message.Role != InstructionRole.System))
        {
            if (message.Role == InstructionRole.Assistant)
            {
                yield return InstructionPiece.Answer(message, $" {message.Content} ");
                continue;
            }

            yield return new InstructionPiece($"[INST] {system}{message.Whole} [/INST]", false) { Begins = true };
            system = "";
        }
    }

    private static IEnumerable<InstructionPiece> Marked(
        IReadOnlyList<InstructionMessage> messages, Func<InstructionRole, string> header, string end, string behind)
    {
        for (int index = 0; index < messages.Count; index++)
        {
            var message = messages[index];
            bool answer = message.Role == InstructionRole.Assistant;
            yield return new InstructionPiece(header(message.Role) + (answer ? "" : message.Whole + end + behind), false);
            if (!answer) continue;
            yield return InstructionPiece.Answer(message, message.Content + end);
            if (behind.Length > 0 && index < messages.Count - 1) yield return new InstructionPiece(behind, false);
        }
    }

    private static IReadOnlyList<InstructionMessage> SystemAsUser(IReadOnlyList<InstructionMessage> messages) =>
        messages is [{ Role: InstructionRole.System } system, var first, ..]
            ? [first with { Content = $"{system.Content}\n\n{first.Content}" }, .. messages.Skip(2)]
            : messages;
}
