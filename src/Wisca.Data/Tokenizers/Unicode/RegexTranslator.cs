using System.Buffers;
using System.Globalization;
using System.Text;

namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>
/// Rewrites a pattern of the reference's engine (Oniguruma, Ruby syntax) to .NET's syntax. Where the two read the same pattern
/// differently it is rewritten (possessive quantifiers, nested classes, <c>\w</c>) or refused, never passed on.
/// </summary>
internal sealed class RegexTranslator
{
    private static readonly string[] GroupStarts = ["(?:", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?i)"];
    private static readonly HashSet<string> Categories =
    [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
    ];

    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdefABCDEF");

    private readonly string _pattern;
    private readonly string _where;
    private readonly StringBuilder _output = new();
    private int _at;
    private bool _ignoreCase;

    private RegexTranslator(string pattern, string where)
    {
        _pattern = pattern;
        _where = where;
    }

    /// <summary>Compiles a pattern.</summary>
    /// <param name="pattern">The pattern in Oniguruma's syntax.</param>
    /// <param name="where">The file and the key, for error messages.</param>
    /// <exception cref="WiscaException">The pattern is wrong or needs what .NET does not have.</exception>
    public static UnicodeRegex Compile(string pattern, string where)
    {
        string translated = Translate(pattern, where);
        try
        {
            return new UnicodeRegex(translated, where);
        }
        catch (ArgumentException exception)
        {
            throw new WiscaException(
                $"{where}: the regular expression does not compile: {exception.Message}", "this tokenizer cannot be used", exception);
        }
    }

    /// <summary>The .NET pattern that matches what the given one matches.</summary>
    /// <exception cref="WiscaException">There is none, or the pattern is wrong.</exception>
    public static string Translate(string pattern, string where)
    {
        var translator = new RegexTranslator(pattern, where);
        translator.Run();
        return translator._output.ToString();
    }

    private char Next => _at < _pattern.Length ? _pattern[_at] : '\0';

    private void Run()
    {
        var groups = new Stack<(int Start, bool IgnoreCase)>();
        int? atom = null; // where the last thing that can be repeated begins in the output
        while (_at < _pattern.Length)
        {
            int start = _output.Length;
            switch (Next)
            {
                case '(':
                    bool outside = _ignoreCase;
                    if (Group()) groups.Push((start, outside));
                    atom = null;
                    break;
                case ')':
                    if (!groups.TryPop(out var opened)) throw Refuse("a ')' without its '('");
                    Copy();
                    (atom, _ignoreCase) = opened;
                    break;
                case '*' or '+' or '?' or '{':
                    Quantifier(atom ?? throw Refuse($"'{Next}' with nothing to repeat"));
                    atom = null;
                    break;
                case '|' or '^' or '$':
                    Copy();
                    atom = null;
                    break;
                default:
                    One();
                    atom = start;
                    break;
            }
        }

        if (groups.Count > 0) throw Refuse("a '(' without its ')'");
    }

    /// <summary>Something that matches one character.</summary>
    private void One()
    {
        switch (Next)
        {
            case '[':
                Class();
                break;
            case '\\':
                Escape(inClass: false);
                break;
            default:
                // Oniguruma folds s and the long s together, .NET does not.
                if (_ignoreCase && Next is 's' or 'S')
                {
                    _at++;
                    _output.Append("[sSſ]");
                }
                else
                {
                    Literal();
                }

                break;
        }
    }

    private void Literal()
    {
        if (char.IsSurrogate(Next)) throw Refuse("a character beyond the basic plane");
        Copy();
    }

    /// <summary>Returns whether a group was opened; <c>(?i)</c> opens none.</summary>
    private bool Group()
    {
        string? start = Array.Find(GroupStarts, start => string.CompareOrdinal(_pattern, _at, start, 0, start.Length) == 0);
        if (start is null && _at + 1 < _pattern.Length && _pattern[_at + 1] == '?') throw Refuse($"the group '{Excerpt(4)}'");
        if (start == "(?i)" && _at > 0) throw Refuse("'(?i)' not at the beginning"); // in Ruby it binds weaker than '|' there
        Copy(start?.Length ?? 1);
        _ignoreCase |= start is "(?i:" or "(?i)";
        return _output[^1] != ')';
    }

    private void Quantifier(int atom)
    {
        bool counted = Next == '{';
        if (counted)
        {
            int end = _pattern.IndexOf('}', _at);
            string[] bounds = end < 0 ? [] : _pattern[(_at + 1)..end].Split(',');
            bool sound = bounds.Length is 1 or 2 && bounds[0].Length > 0 && bounds.All(bound => bound.All(char.IsAsciiDigit));
            if (!sound) throw Refuse($"the quantifier '{Excerpt(end < 0 ? 1 : end - _at + 1)}'");
            Copy(end - _at + 1);
            if (Next is '+' or '?') throw Refuse($"'{Next}' after a counted quantifier");
            return;
        }

        Copy();
        if (Next == '?')
        {
            Copy();
        }
        else if (Next == '+')
        {
            // possessive: what was matched is not given back
            _at++;
            _output.Insert(atom, "(?>").Append(')');
        }
    }

    private void Class()
    {
        Copy();
        if (Next == '^') Copy();
        ClassItems();
        _output.Append(']');
    }

    private void ClassItems()
    {
        int first = _at;
        while (true)
        {
            switch (Next)
            {
                case '\0' when _at >= _pattern.Length:
                    throw Refuse("a '[' without its ']'");
                case ']' when _at > first:
                    _at++;
                    return;
                case ']':
                    throw Refuse("an empty class");
                case '[':
                    // a class inside a class: its members join those of the outer one
                    _at++;
                    if (Next is '^' or ':') throw Refuse($"'[{Next}' inside a class");
                    ClassItems();
                    break;
                case '&' when _at + 1 < _pattern.Length && _pattern[_at + 1] == '&':
                    throw Refuse("'&&' inside a class");
                default:
                    Members();
                    break;
            }
        }
    }

    /// <summary>One member of a class, or a range of them.</summary>
    private void Members()
    {
        if (Member() is not { } low) return;
        char high = low;
        if (Next == '-' && _at + 1 < _pattern.Length && _pattern[_at + 1] is not (']' or '['))
        {
            Copy();
            high = Member() ?? throw Refuse("a range that ends in a class");
        }

        if (_ignoreCase && ((low <= 's' && 's' <= high) || (low <= 'S' && 'S' <= high))) _output.Append('ſ');
        foreach (char standIn in UnicodeRegex.StandIns)
        {
            if (low <= standIn && standIn <= high) throw Refuse($"the range U+{(int)low:X4} to U+{(int)high:X4}");
        }
    }

    /// <summary>The character that is a member, or null where a whole set of them is.</summary>
    private char? Member()
    {
        if (Next == '\\') return Escape(inClass: true);
        char literal = Next;
        if (literal is '-' or '^') _output.Append('\\');
        Literal();
        return literal;
    }

    /// <summary>Returns the character that the escape stands for, or null where it stands for a set.</summary>
    private char? Escape(bool inClass)
    {
        char kind = _at + 1 < _pattern.Length ? _pattern[_at + 1] : throw Refuse("a backslash at the end");
        switch (kind)
        {
            case 'p' or 'P':
                int end = _pattern.IndexOf('}', _at);
                string name = end < 0 || _at + 3 > end || _pattern[_at + 2] != '{' ? "" : _pattern[(_at + 3)..end];
                if (!Categories.Contains(name)) throw Refuse($"the property '{Excerpt(end < 0 ? 2 : end - _at + 1)}'");
                Copy(end - _at + 1);
                return null;
            case 'w':
                _at += 2;
                _output.Append(inClass ? CharacterClasses.Word : $"[{CharacterClasses.Word}]");
                return null;
            case 'W' when !inClass:
                _at += 2;
                _output.Append($"[^{CharacterClasses.Word}]");
                return null;
            case 's' or 'S' or 'd' or 'D':
                Copy(2);
                return null;
            case 'u' or 'x' when HexDigits(kind == 'u' ? 4 : 2):
                int digits = kind == 'u' ? 4 : 2;
                char scalar = (char)int.Parse(_pattern.AsSpan(_at + 2, digits), NumberStyles.HexNumber);
                if (char.IsSurrogate(scalar)) throw Refuse("half a surrogate pair");
                Copy(2 + digits);
                return scalar;
            case 'n' or 'r' or 't' or 'f' or 'v':
                Copy(2);
                return kind switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'f' => '\f', _ => '\v' };
            case var mark when char.IsAscii(mark) && !char.IsLetterOrDigit(mark):
                if (mark == '_') _at++; // to .NET it is a letter, which must not be escaped
                Copy(mark == '_' ? 1 : 2);
                return mark;
            default:
                throw Refuse($"the escape '\\{kind}'");
        }
    }

    private bool HexDigits(int count) => _at + 2 + count <= _pattern.Length && _pattern.AsSpan(_at + 2, count).IndexOfAnyExcept(Hex) < 0;

    private void Copy(int count = 1)
    {
        _output.Append(_pattern, _at, count);
        _at += count;
    }

    private string Excerpt(int length) => _pattern.Substring(_at, Math.Min(length, _pattern.Length - _at));

    private WiscaException Refuse(string what) =>
        new(
            $"{_where}: the regular expression has {what} at character {_at + 1}, which is wrong or not supported",
            "this tokenizer cannot be used");
}
