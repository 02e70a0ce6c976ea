using System.Globalization;
using System.Text;

namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>
/// The four normalization forms of Unicode (UAX 15) on data of its own. <see cref="string.Normalize()"/> does nothing under
/// invariant globalization, which these libraries must work under, and follows the machine's ICU otherwise;
/// token ids must depend on neither.
/// </summary>
internal static class UnicodeNormalization
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7;
    private const int LCount = 19, VCount = 21, TCount = 28, SCount = LCount * VCount * TCount;
    private const int FirstWithClass = 0x300;

    private static readonly Lazy<Tables> Data = new(Tables.Load);

    /// <summary>Normalizes a text that holds no lone surrogates.</summary>
    /// <param name="text">The text.</param>
    /// <param name="compatible">Whether compatibility characters are replaced too (the forms with a K).</param>
    /// <param name="compose">Whether the result is composed (the forms with a C).</param>
    public static string Normalize(string text, bool compatible, bool compose)
    {
        // Up to these, every character is its own normal form and combines with nothing before it.
        char inert = compatible ? '\u009F' : compose ? '\u02FF' : '\u00BF';
        int next = text.AsSpan().IndexOfAnyExceptInRange('\0', inert);
        if (next < 0) return text;

        // The other characters are normalized in runs, each with the one before it, which a mark may combine with.
        var result = new StringBuilder(text.Length);
        var scalars = new List<int>();
        int done = 0;
        while (next >= 0)
        {
            int start = Math.Max(done, next - 1);
            int length = text.AsSpan(next).IndexOfAnyInRange('\0', inert);
            int end = length < 0 ? text.Length : next + length;
            result.Append(text, done, start - done);
            AppendNormalized(text.AsSpan()[start..end], compatible, compose, scalars, result);
            done = end;
            next = text.AsSpan(done).IndexOfAnyExceptInRange('\0', inert) is >= 0 and int ahead ? done + ahead : -1;
        }

        return result.Append(text, done, text.Length - done).ToString();
    }

    private static void AppendNormalized(ReadOnlySpan<char> run, bool compatible, bool compose, List<int> scalars, StringBuilder result)
    {
        var tables = Data.Value;
        var decompositions = compatible ? tables.Compatible : tables.Canonical;
        scalars.Clear();
        foreach (var rune in run.EnumerateRunes()) Decompose(rune.Value, decompositions, scalars);
        Reorder(scalars, tables);
        if (compose) Compose(scalars, tables);
        foreach (int scalar in scalars) result.Append(new Rune(scalar));
    }

    private static void Decompose(int scalar, Dictionary<int, int[]> decompositions, List<int> output)
    {
        if (scalar - SBase is >= 0 and < SCount and int syllable)
        {
            output.Add(LBase + (syllable / (VCount * TCount)));
            output.Add(VBase + (syllable % (VCount * TCount) / TCount));
            if (syllable % TCount != 0) output.Add(TBase + (syllable % TCount));
        }
        else if (scalar > 0x9F && decompositions.TryGetValue(scalar, out int[]? parts))
        {
            output.AddRange(parts);
        }
        else
        {
            output.Add(scalar);
        }
    }

    /// <summary>Sorts each run of combining marks by class, keeping the order within a class.</summary>
    private static void Reorder(List<int> scalars, Tables tables)
    {
        for (int at = 0; at < scalars.Count; at++)
        {
            if (tables.Class(scalars[at]) == 0) continue;
            int end = at + 1;
            bool sorted = true;
            for (; end < scalars.Count && tables.Class(scalars[end]) is > 0 and int next; end++)
                sorted &= next >= tables.Class(scalars[end - 1]);
            if (!sorted)
            {
                int[] marks = [.. scalars.GetRange(at, end - at).OrderBy(tables.Class)];
                for (int i = 0; i < marks.Length; i++) scalars[at + i] = marks[i];
            }

            at = end - 1;
        }
    }

    private static void Compose(List<int> scalars, Tables tables)
    {
        int starter = -1, kept = 0, lastClass = 0;
        for (int at = 0; at < scalars.Count; at++)
        {
            int scalar = scalars[at];
            int combiningClass = tables.Class(scalar);
            // A mark is blocked from its starter by one of the same or a higher class between them, a starter by anything.
            bool adjacent = starter == kept - 1;
            if (starter >= 0 && (adjacent || (lastClass < combiningClass)) && tables.Compose(scalars[starter], scalar) is { } composed)
            {
                scalars[starter] = composed;
                continue;
            }

            if (combiningClass == 0) starter = kept;
            lastClass = combiningClass;
            scalars[kept++] = scalar;
        }

        scalars.RemoveRange(kept, scalars.Count - kept);
    }

    private sealed class Tables
    {
        private readonly Dictionary<int, byte> _classes = [];
        private readonly Dictionary<(int, int), int> _composites = [];

        public Dictionary<int, int[]> Canonical { get; } = [];

        public Dictionary<int, int[]> Compatible { get; } = [];

        public static Tables Load()
        {
            var tables = new Tables();
            var excluded = new HashSet<int>();
            using var stream = typeof(UnicodeNormalization).Assembly.GetManifestResourceStream("Unicode/normalization.txt")!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                string[] items = line.Split(' ');
                foreach (string item in items.AsSpan(1)) tables.Read(items[0], item, excluded);
            }

            foreach (var (scalar, parts) in tables.Canonical)
            {
                // Never composed: singletons, listed exclusions, and decompositions that begin with a mark.
                bool composes = parts.Length == 2 && !excluded.Contains(scalar) && tables.Class(scalar) == 0 && tables.Class(parts[0]) == 0;
                if (composes) tables._composites.Add((parts[0], parts[1]), scalar);
            }

            foreach (var (scalar, parts) in tables.Canonical) tables.Compatible.TryAdd(scalar, parts);
            Expand(tables.Canonical);
            Expand(tables.Compatible);
            return tables;
        }

        public int Class(int scalar) => scalar < FirstWithClass ? 0 : _classes.GetValueOrDefault(scalar);

        public int? Compose(int first, int second)
        {
            if (first - LBase is >= 0 and < LCount and int l && second - VBase is >= 0 and < VCount and int v)
                return SBase + (((l * VCount) + v) * TCount);
            bool isLv = first - SBase is >= 0 and < SCount and int syllable && syllable % TCount == 0;
            if (isLv && second - TBase is > 0 and < TCount and int t) return first + t;
            return _composites.TryGetValue((first, second), out int composed) ? composed : null;
        }

        private void Read(string kind, string item, HashSet<int> excluded)
        {
            switch (kind)
            {
                case "canonical" or "compatible":
                    var target = kind == "canonical" ? Canonical : Compatible;
                    target.Add(
                        Hex(item.AsSpan(0, item.IndexOf('='))),
                        [.. item[(item.IndexOf('=') + 1)..].Split('+').Select(part => Hex(part))]);
                    break;
                case "excluded":
                    excluded.Add(Hex(item));
                    break;
                case var name when name.StartsWith("class-", StringComparison.Ordinal):
                    int dash = item.IndexOf('-');
                    int low = Hex(dash < 0 ? item : item.AsSpan(0, dash)), high = Hex(item.AsSpan(dash + 1));
                    for (int scalar = low; scalar <= high; scalar++) _classes.Add(scalar, byte.Parse(name.AsSpan(6)));
                    break;
                default:
                    break; // a comment
            }
        }

        /// <summary>Replaces single steps of decomposition by the whole way.</summary>
        private static void Expand(Dictionary<int, int[]> decompositions)
        {
            int[] Whole(int scalar) => decompositions.TryGetValue(scalar, out int[]? parts) ? [.. parts.SelectMany(Whole)] : [scalar];
            foreach (int scalar in decompositions.Keys.ToArray()) decompositions[scalar] = Whole(scalar);
        }

        private static int Hex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.HexNumber);
    }
}
