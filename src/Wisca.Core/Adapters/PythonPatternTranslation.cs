using System.Globalization;
using System.Text;

namespace Wisca.Adapters;

/// <summary>
/// Says in .NET's syntax what a pattern of Python 3.11's <c>re</c> says. Groups get their numbers as names, since .NET numbers named groups
/// behind the others; possessive quantifiers become atomic groups.
/// </summary>
internal sealed class PythonPatternTranslation(string pattern, string what)
{
    private static readonly string[] Groups = ["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"];

    private const string AsciiSpace = @" \t\n\r\f\v";
    private readonly StringBuilder _out = new();
    private readonly Dictionary<string, int> _names = new(StringComparer.Ordinal);
    private readonly Stack<(int Start, bool Verbose, bool Ascii)> _open = new();
    private int _at, _groups, _atom = -1;
    private bool _verbose, _ascii, _repeated;

    /// <summary>The numbers of named groups.</summary>
    public IReadOnlyDictionary<string, int> Names => _names;

    /// <summary>The pattern in .NET's syntax.</summary>
    /// <exception cref="WiscaException">A construct is not Python's, or not known here.</exception>
    public string Translate()
    {
        while (_at < pattern.Length)
        {
            char c = pattern[_at];
            if (_verbose && SkipVerbose(c)) continue;
            switch (c)
            {
                case '(':
                    Open();
                    break;
                case ')':
                    Close();
                    break;
                case '[':
                    Begin();
                    Class();
                    break;
                case '\\':
                    Escape();
                    break;
                case '*' or '+' or '?':
                    _at++;
                    Quantify(c.ToString());
                    break;
                case '{' when Braces() is { } quantifier:
                    Quantify(quantifier);
                    break;
                case '{' or '}':
                    Begin();
                    _out.Append('\\').Append(c);
                    _at++;
                    break;
                case '|' or '^' or '$':
                    _atom = -1;
                    _repeated = false;
                    _out.Append(c);
                    _at++;
                    break;
                default:
                    Begin();
                    _out.Append(c);
                    _at++;
                    break;
            }
        }

        return _open.Count == 0 ? _out.ToString() : throw Wrong("a parenthesis is not closed");
    }

    /// <summary>What is appended next can be repeated.</summary>
    private void Begin() => (_atom, _repeated) = (_out.Length, false);

    private bool SkipVerbose(char c)
    {
        if (c == '#')
        {
            while (_at < pattern.Length && pattern[_at] != '\n') _at++;
            return true;
        }

        if (c is not (' ' or '\t' or '\n' or '\r' or '\f' or '\v')) return false;
        _at++;
        return true;
    }

    private void Quantify(string quantifier)
    {
        if (_repeated) throw Wrong("one repetition follows another");
        if (_atom < 0) throw Wrong($"there is nothing that {quantifier} could repeat");
        char next = _at < pattern.Length ? pattern[_at] : '\0';
        _out.Append(quantifier);
        if (next == '?')
        {
            _out.Append('?');
            _at++;
        }
        else if (next == '+')
        {
            _out.Insert(_atom, "(?>").Append(')');
            _at++;
        }

        _repeated = true;
    }

    /// <summary>A repetition in braces, in .NET's spelling; null where Python reads the brace as itself.</summary>
    private string? Braces()
    {
        int at = _at + 1;
        string low = Digits(), high = low;
        bool comma = at < pattern.Length && pattern[at] == ',';
        if (comma)
        {
            at++;
            high = Digits();
        }

        if (at >= pattern.Length || pattern[at] != '}' || (!comma && low.Length == 0)) return null;
        _at = at + 1;
        if (low.Length == 0) low = "0";
        return comma ? $"{{{low},{high}}}" : $"{{{low}}}";

        string Digits()
        {
            int begin = at;
            while (at < pattern.Length && char.IsAsciiDigit(pattern[at])) at++;
            return pattern[begin..at];
        }
    }

    private void Open()
    {
        int start = _out.Length;
        bool verbose = _verbose, ascii = _ascii;
        if (!Starts("(?"))
        {
            _at++;
            _out.Append($"(?<{++_groups}>");
        }
        else if (Starts("(?P<"))
        {
            _at += 4;
            string name = Until('>');
            if (name.Length == 0 || char.IsAsciiDigit(name[0]) || !name.All(c => char.IsLetterOrDigit(c) || c == '_'))
                throw Wrong($"'{name}' is not a group's name");
            if (!_names.TryAdd(name, ++_groups)) throw Wrong($"two groups are called '{name}'");
            _out.Append($"(?<{_groups}>");
        }
        else if (Starts("(?P="))
        {
            _at += 4;
            Begin();
            _out.Append($"(?:\\k<{Number(Until(')'))}>)");
            return;
        }
        else if (Starts("(?P"))
        {
            throw Unknown(pattern.Substring(_at, Math.Min(4, pattern.Length - _at)));
        }
        else if (Starts("(?#"))
        {
            _at += 3;
            Until(')');
            return;
        }
        else if (Starts("(?("))
        {
            _at += 3;
            _out.Append($"(?({Number(Until(')'))})");
        }
        else if (Groups.FirstOrDefault(Starts) is { } known)
        {
            _at += known.Length;
            _out.Append(known);
        }
        else if (!Flags(ref verbose, ref ascii))
        {
            return;
        }

        _open.Push((start, _verbose, _ascii));
        (_verbose, _ascii, _atom, _repeated) = (verbose, ascii, -1, false);
    }

    /// <summary>Flags of the whole pattern, or of a group that begins here.</summary>
    /// <returns>True where a group begins.</returns>
    private bool Flags(ref bool verbose, ref bool ascii)
    {
        int begin = _at, at = _at + 2;
        while (at < pattern.Length && (char.IsAsciiLetter(pattern[at]) || pattern[at] == '-')) at++;
        string flags = pattern[(begin + 2)..at];
        if (at >= pattern.Length || pattern[at] is not (')' or ':') || flags.Length == 0 || !flags.All("aiLmsux-".Contains))
            throw Unknown(pattern[begin..Math.Min(pattern.Length, at + 1)]);
        string[] sides = flags.Split('-');
        if (sides.Length > 2 || flags.Contains('L', StringComparison.Ordinal)) throw Unknown(pattern[begin..(at + 1)]);
        bool whole = pattern[at] == ')';
        if (whole && (begin != 0 || sides.Length > 1)) throw Wrong("flags of the whole pattern do not stand at its beginning");
        if (sides[0].Contains('x', StringComparison.Ordinal)) verbose = true;
        if (sides.Length > 1 && sides[1].Contains('x', StringComparison.Ordinal)) verbose = false;
        if (sides[0].Contains('a', StringComparison.Ordinal)) ascii = true;
        if (sides[0].Contains('u', StringComparison.Ordinal)) ascii = false;

        // x is applied here, a and u by what classes are written as.
        string kept = string.Concat(sides[0].Where("ims".Contains));
        if (sides.Length > 1 && sides[1].Any("ims".Contains)) kept += "-" + string.Concat(sides[1].Where("ims".Contains));
        _at = at + 1;
        if (!whole)
        {
            _out.Append($"(?{kept}:");
            return true;
        }

        if (kept.Length > 0) _out.Append($"(?{kept})");
        (_verbose, _ascii) = (verbose, ascii);
        return false;
    }

    private void Close()
    {
        if (_open.Count == 0) throw Wrong("a parenthesis is closed that none opened");
        (_atom, _verbose, _ascii) = _open.Pop();
        _repeated = false;
        _out.Append(')');
        _at++;
    }

    private void Class()
    {
        _out.Append('[');
        _at++;
        if (_at < pattern.Length && pattern[_at] == '^')
        {
            _out.Append('^');
            _at++;
        }

        for (bool first = true; ; first = false)
        {
            if (_at >= pattern.Length) throw Wrong("a set is not closed");
            char c = pattern[_at];
            if (c == ']' && !first) break;
            if (c == '\\')
            {
                EscapeInClass();
                continue;
            }

            // .NET takes sets from sets with -[.
            if (c is '[' or ']') _out.Append('\\');
            _out.Append(c);
            _at++;
        }

        _out.Append(']');
        _at++;
    }

    private void EscapeInClass()
    {
        char c = Next();
        _at += 2;
        switch (c)
        {
            case 'd' when _ascii:
                _out.Append("0-9");
                break;
            case 's' when _ascii:
                _out.Append(AsciiSpace);
                break;
            case 'w' when _ascii:
                _out.Append("a-zA-Z0-9_");
                break;
            case 'D' or 'S' or 'W' when _ascii:
                throw Unknown($@"[\{c}] with the flag a");
            case 'd' or 's' or 'w' or 'D' or 'S' or 'W' or 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v':
                _out.Append('\\').Append(c);
                break;
            default:
                Character(c);
                break;
        }
    }

    private void Escape()
    {
        char c = Next();
        _at += 2;
        if (c is 'A' or 'Z' or 'b' or 'B')
        {
            if (_ascii && c is 'b' or 'B') throw Unknown($@"\{c} with the flag a");
            _atom = -1;
            _repeated = false;
            _out.Append('\\').Append(c == 'Z' ? 'z' : c);
            return;
        }

        Begin();
        switch (c)
        {
            case 'd' or 'D' when _ascii:
                _out.Append(c == 'd' ? "[0-9]" : "[^0-9]");
                break;
            case 's' or 'S' when _ascii:
                _out.Append(c == 's' ? "[" : "[^").Append(AsciiSpace).Append(']');
                break;
            case 'w' or 'W' when _ascii:
                _out.Append(c == 'w' ? "[a-zA-Z0-9_]" : "[^a-zA-Z0-9_]");
                break;
            case 'd' or 's' or 'w' or 'D' or 'S' or 'W' or 'a' or 'f' or 'n' or 'r' or 't' or 'v':
                _out.Append('\\').Append(c);
                break;
            case >= '1' and <= '9':
                Reference(c);
                break;
            default:
                Character(c);
                break;
        }
    }

    /// <summary>A group's number of one or two digits; three octal ones are a character.</summary>
    private void Reference(char first)
    {
        string digits = first.ToString();
        if (_at < pattern.Length && char.IsAsciiDigit(pattern[_at])) digits += pattern[_at++];
        if (digits.Length == 2 && _at < pattern.Length && digits.Append(pattern[_at]).All(c => c is >= '0' and <= '7') && first <= '3')
        {
            Code(Convert.ToInt32(digits + pattern[_at++], 8));
            return;
        }

        _out.Append($"(?:\\k<{Number(digits)}>)");
    }

    /// <summary>An escaped character that is the same within sets and outside.</summary>
    private void Character(char c)
    {
        switch (c)
        {
            case 'x':
                Code(Hexadecimal(2));
                break;
            case 'u':
                Code(Hexadecimal(4));
                break;
            case 'U':
                int code = Hexadecimal(8);
                Code(code <= char.MaxValue ? code : throw Unknown($@"\U{code:x8}"));
                break;
            case >= '0' and <= '7':
                string digits = c.ToString();
                while (digits.Length < 3 && _at < pattern.Length && pattern[_at] is >= '0' and <= '7') digits += pattern[_at++];
                Code(Convert.ToInt32(digits, 8));
                break;
            case 'N':
                throw Unknown(@"\N");
            default:
                if (char.IsAsciiLetterOrDigit(c)) throw Wrong($@"\{c} means nothing to Python");
                if (!char.IsLetterOrDigit(c) && c != '_') _out.Append('\\');
                _out.Append(c);
                break;
        }
    }

    private void Code(int code) => _out.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}");

    private int Hexadecimal(int length)
    {
        string digits = pattern.Substring(_at, Math.Min(length, pattern.Length - _at));
        if (
            digits.Length < length
            || !int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            || code < 0)
            throw Wrong($"an escape has fewer than {length} hexadecimal digits");
        _at += length;
        return code;
    }

    private int Number(string group)
    {
        if (_names.TryGetValue(group, out int number)) return number;
        if (int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 1 && number <= _groups)
            return number;
        throw Wrong($"there is no group '{group}' in front of what refers to it");
    }

    private char Next() => _at + 1 < pattern.Length ? pattern[_at + 1] : throw Wrong("it ends with a backslash");

    private bool Starts(string text) => pattern.AsSpan(_at).StartsWith(text, StringComparison.Ordinal);

    private string Until(char end)
    {
        int found = pattern.IndexOf(end, _at);
        if (found < 0) throw Wrong($"there is no '{end}' behind '{pattern[.._at]}'");
        string text = pattern[_at..found];
        _at = found + 1;
        return text;
    }

    private WiscaException Wrong(string why) => new($"{what} is not a regular expression of Python's: {why}", "mend the pattern");

    private WiscaException Unknown(string construct) =>
        new(
            $"{what}: '{construct}' is a construct of Python's regular expressions that is not known here",
            "say it in another way, or list the modules' names");
}
