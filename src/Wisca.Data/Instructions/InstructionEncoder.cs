using Wisca.Data.Tokenizers;

namespace Wisca.Data.Instructions;

/// <summary>
/// Turns examples into tokens. The text between BOS and EOS is encoded as a whole, so that the tokens are those a model would see
/// elsewhere; a token counts from where the encoding of the whole leaves that of the prompt. Each answer ends with the template's end
/// marker; and with EOS where there is no marker, or the tokenizer has none such.
/// </summary>
public sealed class InstructionEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly InstructionTemplate _template;
    private readonly int[] _opening, _ending;

    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="template">How a conversation becomes text.</param>
    public InstructionEncoder(Tokenizer tokenizer, InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(template);
        (_tokenizer, _template) = (tokenizer, template);
        _ending = tokenizer.EosId is not { } eos || (template.EndMarker is { } marker && tokenizer.FindId(marker) is not null) ? [] : [eos];

        // What the tokenizer puts before a text; some put EOS behind it, too.
        int[] around = tokenizer.Encode("");
        _opening =
            around.Length > 0 && around[^1] == tokenizer.EosId && (around.Length > 1 || tokenizer.BosId != tokenizer.EosId)
                ? around[..^1]
                : around;
    }

    /// <summary>Encodes an example.</summary>
    /// <param name="example">The example.</param>
    public EncodedInstruction Encode(Instruction example)
    {
        ArgumentNullException.ThrowIfNull(example);
        List<int> ids = [.. _opening];
        List<bool> counts = [.. _opening.Select(_ => false)];
        var stretch = new List<InstructionPiece>();
        foreach (var piece in _template.Render(example))
        {
            if (piece.Begins && ids.Count > _opening.Length && _tokenizer.BosId is { } bos) Add([bos], false);
            stretch.Add(piece);
            if (!piece.IsAnswer || _ending.Length == 0) continue;
            AddStretch();
            Add(_ending, piece.Counts);
        }

        AddStretch();
        if (counts.Count > 0) counts[0] = false;
        return new EncodedInstruction([.. ids], [.. counts]);

        void AddStretch()
        {
            string text = string.Concat(stretch.Select(piece => piece.Text));
            int[] whole = _tokenizer.Encode(text, addSpecialTokens: false);
            int begin = 0, characters = 0;
            for (int index = 0; index < stretch.Count; index++)
            {
                characters += stretch[index].Text.Length;
                int end =
                    index == stretch.Count - 1
                        ? whole.Length
                        : Math.Max(
                            begin,
                            whole.AsSpan().CommonPrefixLength(_tokenizer.Encode(text[..characters], addSpecialTokens: false)));
                Add(whole[begin..end], stretch[index].Counts);
                begin = end;
            }

            stretch.Clear();
        }

        void Add(int[] more, bool counting)
        {
            ids.AddRange(more);
            counts.AddRange(more.Select(_ => counting));
        }
    }
}
