namespace Wisca.Data.Corpora.Stories;

/// <summary>One story while it is told: what its variables stand for is chosen when they are first needed, and kept.</summary>
internal sealed class StoryTelling(StoryGrammar grammar, StoryRandom random)
{
    private readonly Dictionary<string, StoryValue> _values = new(StringComparer.Ordinal);
    private char[] _text = new char[2048];
    private int _length;
    private StoryPlot _plot = null!;

    public string Tell()
    {
        _plot = grammar.Plots[random.Below(grammar.Plots.Count)];
        Cast();
        Write(_plot.Text);
        return Polish();
    }

    /// <summary>
    /// The hero, a friend of the other gender (so that he and she are clear), and a third: all children or all animals.
    /// </summary>
    private void Cast()
    {
        bool animals = _plot.Animals && (!_plot.People || random.Below(5) < 2);
        var genders = grammar.List("genders");
        int gender = random.Below(2);
        var kinds = new List<StoryWord>();
        var names = new List<StoryWord>();
        foreach (string role in (ReadOnlySpan<string>)["hero", "friend", "third"])
        {
            var kind = animals ? Pick(grammar.List("animals"), kinds) : genders[gender];
            var name = Pick(grammar.List(gender == 0 ? "girls" : "boys"), names);
            kinds.Add(kind);
            names.Add(name);
            _values.Add(role, new StoryValue(name, kind, genders[gender]));
            gender = 1 - gender;
        }
    }

    private StoryWord Pick(StoryWord[] words, List<StoryWord> taken)
    {
        while (true)
        {
            var word = words[random.Below(words.Length)];
            if (!taken.Contains(word)) return word;
        }
    }

    private void Write(StoryPart[] parts)
    {
        foreach (var part in parts)
        {
            switch (part)
            {
                case StoryPart.Literal literal:
                    Append(literal.Text);
                    break;
                case StoryPart.Choice choice:
                    Write(choice.Options[random.Below(choice.Options.Length)]);
                    break;
                case StoryPart.Call call:
                    var options = grammar.Rule(call.Rule);
                    Write(options[random.Below(options.Length)]);
                    break;
                case StoryPart.Slot slot:
                    int start = _length;
                    Append(Text(slot));
                    if (slot.Capital) _text[start] = char.ToUpperInvariant(_text[start]);
                    break;
            }
        }
    }

    private string Text(StoryPart.Slot slot)
    {
        // A name that is no variable is an attribute of the hero: {he}, {his}.
        if (slot.Attribute is null)
            return TryValue(slot.Variable, out var value) ? value.Word.Text : One(_values["hero"].Attribute(slot.Variable));
        return TryValue(slot.Variable, out var owner)
            ? One(owner.Attribute(slot.Attribute))
            : throw new InvalidOperationException($"plot {_plot.Name} has no variable '{slot.Variable}'");
    }

    private string One(string[] values) => values.Length == 1 ? values[0] : values[random.Below(values.Length)];

    private bool TryValue(string name, out StoryValue value)
    {
        if (_values.TryGetValue(name, out value)) return true;
        if (grammar.Variable(_plot, name) is not { } variable) return false;
        if (variable.Attribute is not null)
        {
            if (!TryValue(variable.Owner!, out var owner))
                throw new InvalidOperationException($"plot {_plot.Name} has no variable '{variable.Owner}'");
            value = new StoryValue(new StoryWord(One(owner.Attribute(variable.Attribute)), owner.Word.Attributes));
        }
        else
        {
            List<StoryWord> taken = variable.Owner is null
                ? []
                : [TryValue(variable.Owner, out var other) ? other.Word : throw new InvalidOperationException(variable.Owner)];
            value = new StoryValue(Pick(variable.Words, taken));
        }

        _values.Add(name, value);
        return true;
    }

    private void Append(string text)
    {
        if (_text.Length - _length < text.Length) Array.Resize(ref _text, Math.Max(_length + text.Length, 2 * _text.Length));
        text.CopyTo(_text.AsSpan(_length));
        _length += text.Length;
    }

    /// <summary>Closes the gaps that empty choices leave, and makes "a" before a vowel "an".</summary>
    private string Polish()
    {
        var raw = _text.AsSpan(0, _length).TrimEnd();
        Span<char> clean = new char[2 * raw.Length];
        int count = 0;
        for (int i = 0; i < raw.Length; i++)
        {
            char letter = raw[i], next = i + 1 < raw.Length ? raw[i + 1] : '\n', last = count > 0 ? clean[count - 1] : '\n';
            if (letter == ' ' && (next is ' ' or '\n' or '.' or ',' or '!' or '?' || last is ' ' or '\n')) continue;
            if (letter == '\n' && last == '\n') continue;
            clean[count++] = letter;
            if (letter is 'a' or 'A' && next == ' ' && !char.IsLetter(last) && SoundsLikeVowel(raw[(i + 1)..].TrimStart(' ')))
                clean[count++] = 'n';
        }

        return new string(clean[..count]);
    }

    private static bool SoundsLikeVowel(ReadOnlySpan<char> word)
    {
        if (word.StartsWith("hour") || word.StartsWith("honest")) return true;
        if (word.StartsWith("one") || word.StartsWith("uni") || word.StartsWith("use")) return false;
        return word is ['a' or 'e' or 'i' or 'o' or 'u' or 'A' or 'E' or 'I' or 'O' or 'U', ..];
    }
}
