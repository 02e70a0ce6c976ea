using System.Text;
using System.Text.RegularExpressions;

namespace Wisca.Fuzz;

/// <summary>
/// Changes JSON: gently (it means the same), by tokens (it mostly stays JSON), or by bytes (it mostly does not); and other text and
/// binary files.
/// </summary>
internal static partial class Mutator
{
    private static readonly string[] Numbers =
    [
        "0", "-0", "1", "-1", "2", "3", "4", "8", "16", "64", "255", "2147483647", "2147483648", "4294967296", "9007199254740993",
        "1152921504606846976", "4611686018427387904",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e3", "1E400", "1.0", "0.5",
        "-1e-9", "00", "01", "NaN", "0x10", "1e", "-",
    ];

    private static readonly string[] Words =
    [
        "null", "true", "false", "{}", "[]", "\"\"", "\"a\"", "\"\\u0061\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\u0000\"", "\"F32\"",
        "\"BOOL,F32\"", "\"f32\"", "\"BF16 \"", "\"../x.safetensors\"",
        "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"llama\"", "\"s1.safetensors\"", "[[[[[[[[[[]]]]]]]]]]",
        "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", "\"\\", "nul", "'a'",
        "\"(a+)+$\"", "\"[\"", "\"(?<=a)\\\\p{L}\"", "\"\\u202e\\u001b[2J\"", "\"Regex\"",
        "\"String\"", "\"\\u2581\"",
        "\"all-linear\"",
    ];

    private static readonly string[] YamlWords =
    [
        "null", "~", "true", "no", "{}", "[]", "\"\"", "&a", "*a", "!!int", "<<:", "? ", "|", ">-", "- ", "---", "...", "#", "'", "\"",
        "\t",
        "{a: {a: {a: {}}}}", "[[[[[[[[[[]]]]]]]]]]", "\"\\ud800\"",
        "\"\\e[2J\"", "\u202e", "\0", "%YAML 9.9", ".inf", "-.NaN", "0o17", "2026-01-01",
        "1_000", "best", "all-linear", "qk_ten+vo_ten",
    ];

    private static readonly long[] Integers =
    [
        0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 20, int.MaxValue - 8L, int.MaxValue, 1L + int.MaxValue,
        uint.MaxValue, 1L << 40, long.MaxValue, long.MinValue,
    ];

    /// <summary>JSON that mostly stays JSON.</summary>
    public static byte[] Json(string json, Random random) => random.Next(10) switch
    {
        < 3 => Gently(json, random),
        < 8 => ByTokens(json, random),
        _ => ByBytes(Gently(json, random), random),
    };

    /// <summary>The same document in another dress: white space, escapes, and the order of entries.</summary>
    public static byte[] Gently(string json, Random random)
    {
        var text = new StringBuilder();
        foreach (string token in Tokens(json))
        {
            if (random.Next(10) == 0 && text.Length > 0) text.Append(" \t\n\r"[random.Next(4)]);
            text.Append(token[0] == '"' && token.Length > 2 && random.Next(6) == 0 ? Escape(token, random) : token);
        }

        if (random.Next(3) == 0) text.Append(' ', random.Next(8));
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    public static byte[] ByTokens(string json, Random random)
    {
        var tokens = Tokens(json);
        for (int changes = random.Next(1, 4); changes > 0 && tokens.Count > 1; changes--)
        {
            int at = random.Next(tokens.Count), other = random.Next(tokens.Count);
            switch (random.Next(10))
            {
                case 8:
                    ReplaceValue(tokens, at, Words[random.Next(Words.Length)]);
                    break;
                case 0:
                    Swap(tokens, random, token => token[0] == '"');
                    break;
                case 1:
                    Swap(tokens, random, token => char.IsAsciiDigit(token[0]));
                    break;
                case 2 or 3:
                    Replace(tokens, random, token => char.IsAsciiDigit(token[0]), Numbers);
                    break;
                case 4:
                    Replace(tokens, random, token => token[0] is '"' or 't' or 'f' or 'n', Words);
                    break;
                case 5:
                    DuplicateEntry(tokens, random);
                    break;
                case 6:
                    (tokens[at], tokens[other]) = (tokens[other], tokens[at]);
                    break;
                case 7:
                    tokens.RemoveAt(at);
                    break;
                default:
                    tokens[at] = Number(tokens[at], random);
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(string.Concat(tokens));
    }

    public static byte[] ByBytes(byte[] bytes, Random random)
    {
        var changed = new List<byte>(bytes);
        for (int changes = random.Next(1, 6); changes > 0 && changed.Count > 0; changes--)
        {
            int at = random.Next(changed.Count);
            switch (random.Next(6))
            {
                case 0:
                    changed[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    changed[at] = (byte)random.Next(256);
                    break;
                case 2:
                    changed.Insert(at, (byte)"{}[]\",:0-\\ u\u00ff"[random.Next(13)]);
                    break;
                case 3:
                    changed.RemoveRange(at, Math.Min(random.Next(1, 9), changed.Count - at));
                    break;
                case 4:
                    changed.InsertRange(at, changed.GetRange(at, Math.Min(random.Next(1, 40), changed.Count - at)));
                    break;
                default:
                    if (random.Next(4) == 0) changed.RemoveRange(at, changed.Count - at);
                    break;
            }
        }

        return [.. changed];
    }

    /// <summary>Lines of YAML: words are replaced, lines change places, come twice, go, or are indented otherwise.</summary>
    public static byte[] Yaml(string yaml, Random random)
    {
        if (random.Next(8) == 0) return ByBytes(Encoding.UTF8.GetBytes(yaml), random);
        var lines = yaml.Split('\n').ToList();
        for (int changes = random.Next(0, 4); changes > 0 && lines.Count > 1; changes--)
        {
            int at = random.Next(lines.Count), other = random.Next(lines.Count);
            switch (random.Next(8))
            {
                case 0:
                    (lines[at], lines[other]) = (lines[other], lines[at]);
                    break;
                case 1:
                    lines.Insert(at, lines[other]);
                    break;
                case 2:
                    lines.RemoveAt(at);
                    break;
                case 3:
                    lines[at] = new string(' ', random.Next(6)) + lines[at].TrimStart();
                    break;
                default:
                    var words = Word().Matches(lines[at]).Select(match => match.Value).ToList();
                    if (words.Count == 0) break;
                    string[] with = random.Next(2) == 0 ? Numbers : YamlWords;
                    words[random.Next(words.Count)] = with[random.Next(with.Length)];
                    lines[at] = string.Concat(words);
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }

    /// <summary>A binary file: bits, integers of any width, varints, pieces that come twice or go.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="random">Chance.</param>
    /// <param name="dense">Where its structure is; most changes fall there.</param>
    public static byte[] Binary(byte[] bytes, Random random, Range dense)
    {
        var changed = new List<byte>(bytes);
        for (int changes = random.Next(1, 5); changes > 0 && changed.Count > 0; changes--)
        {
            var (start, length) = dense.GetOffsetAndLength(bytes.Length);
            int at = random.Next(4) == 0 ? random.Next(changed.Count)
                : Math.Min(start + random.Next(Math.Max(1, length)), changed.Count - 1);
            switch (random.Next(9))
            {
                case 0 or 1:
                    changed[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    changed[at] = (byte)random.Next(256);
                    break;
                case 3:
                    changed[at] = (byte)(changed[at] + random.Next(-3, 4));
                    break;
                case 4:
                    byte[] number = BitConverter.GetBytes(Integers[random.Next(Integers.Length)]);
                    for (int i = 0; i < 1 << random.Next(1, 4) && at + i < changed.Count; i++) changed[at + i] = number[i];
                    break;
                case 5:
                    changed.RemoveAt(at);
                    changed.InsertRange(at, Varint(unchecked((ulong)Integers[random.Next(Integers.Length)])));
                    break;
                case 6:
                    changed.RemoveRange(at, Math.Min(random.Next(1, 9), changed.Count - at));
                    break;
                case 7:
                    int from = random.Next(changed.Count);
                    changed.InsertRange(at, changed.GetRange(from, Math.Min(random.Next(1, 40), changed.Count - from)));
                    break;
                default:
                    if (random.Next(4) == 0) changed.RemoveRange(at, changed.Count - at);
                    break;
            }
        }

        return [.. changed];
    }

    private static IEnumerable<byte> Varint(ulong number)
    {
        for (; number > 127; number >>= 7) yield return (byte)(number | 128);
        yield return (byte)number;
    }

    private static List<string> Tokens(string json) => [.. Token().Matches(json).Select(match => match.Value)];

    private static string Escape(string token, Random random)
    {
        int at = random.Next(1, token.Length - 1);
        return char.IsAsciiLetterOrDigit(token[at]) && !token.Contains('\\')
            ? $"{token[..at]}\\u{(int)token[at]:x4}{token[(at + 1)..]}"
            : token;
    }

    private static string Number(string token, Random random) =>
        long.TryParse(token, out long number) ? $"{unchecked(number + random.Next(-8, 9))}" : token;

    private static void Swap(List<string> tokens, Random random, Func<string, bool> which)
    {
        int[] places = [.. Enumerable.Range(0, tokens.Count).Where(at => which(tokens[at]))];
        if (places.Length < 2) return;
        int a = places[random.Next(places.Length)], b = places[random.Next(places.Length)];
        (tokens[a], tokens[b]) = (tokens[b], tokens[a]);
    }

    private static void Replace(List<string> tokens, Random random, Func<string, bool> which, string[] with)
    {
        int[] places = [.. Enumerable.Range(0, tokens.Count).Where(at => which(tokens[at]))];
        if (places.Length > 0) tokens[places[random.Next(places.Length)]] = with[random.Next(with.Length)];
    }

    /// <summary>Puts a word in the place of the whole object or list that begins next.</summary>
    private static void ReplaceValue(List<string> tokens, int from, string word)
    {
        int begin = tokens.FindIndex(from, token => token is "{" or "["), end = begin;
        if (begin < 0) return;
        int depth = 0;
        do depth += tokens[end] is "{" or "[" ? 1 : tokens[end] is "}" or "]" ? -1 : 0;
        while (++end < tokens.Count && depth > 0);
        tokens.RemoveRange(begin, end - begin);
        tokens.Insert(begin, word);
    }

    /// <summary>Puts an entry (from its key to the end of its value) a second time into its object.</summary>
    private static void DuplicateEntry(List<string> tokens, Random random)
    {
        int[] keys = [.. Enumerable.Range(0, tokens.Count - 1).Where(at => tokens[at][0] == '"' && tokens[at + 1] == ":")];
        if (keys.Length == 0) return;
        int key = keys[random.Next(keys.Length)], end = key + 2, depth = 0;
        do
        {
            if (end >= tokens.Count) return;
            depth += tokens[end] is "{" or "[" ? 1 : tokens[end] is "}" or "]" ? -1 : 0;
            end++;
        }
        while (depth > 0);

        var entry = tokens.GetRange(key, end - key);
        if (random.Next(3) == 0) entry[0] = Escape(entry[0], random);
        tokens.InsertRange(key, [.. entry, ","]);
    }

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"|[-+.0-9eE]+|[a-z]+|[{}\\[\\]:,]")]
    private static partial Regex Token();

    [GeneratedRegex("[A-Za-z_]+|[-+.0-9]+|\\s+|.")]
    private static partial Regex Word();
}
