using System.Collections;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;

namespace Wisca.Settings;

/// <summary>Writes a configuration record as YAML that reads back as the same record.</summary>
public static partial class SettingsWriter
{
    private const int Width = 110;

    /// <summary>Writes every setting of a configuration.</summary>
    /// <param name="config">A record whose keys are described by <see cref="SettingAttribute"/>.</param>
    /// <param name="commented">True to put each key's meaning, range and default above it.</param>
    public static string Write(object config, bool commented)
    {
        ArgumentNullException.ThrowIfNull(config);
        var text = new StringBuilder();
        WriteSection(text, config, Activator.CreateInstance(config.GetType())!, "", commented);
        return text.ToString();
    }

    /// <summary>
    /// A hash of the settings that are not as by default, in hexadecimal digits: equal where two configurations say the same. It stays what
    /// it is when a version adds settings, or moves them. Those that are <see cref="SettingAttribute.Unhashed"/> are no part of it.
    /// </summary>
    /// <param name="config">A record whose keys are described by <see cref="SettingAttribute"/>.</param>
    public static string Hash(object config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var lines = new List<string>();
        Collect(lines, config, Activator.CreateInstance(config.GetType())!, "");
        lines.Sort(StringComparer.Ordinal);
        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(string.Join('\n', lines))));
    }

    /// <summary>The settings in which two configurations differ, with both values as they would be written.</summary>
    /// <typeparam name="T">The record, or what it is made from; both are of one type.</typeparam>
    /// <param name="before">One configuration.</param>
    /// <param name="after">The other.</param>
    public static IReadOnlyList<(string Key, string Before, string After)> Differences<T>(T before, T after)
        where T : class => [.. Differences(before.GetType(), before, after, "")];

    private static IEnumerable<(string Key, string Before, string After)> Differences(Type type, object before, object after, string path)
    {
        foreach (var setting in Setting.Of(type))
        {
            object? one = setting.Property.GetValue(before), other = setting.Property.GetValue(after);
            if (setting.IsSection)
            {
                foreach (var difference in Differences(setting.Type, one!, other!, $"{path}{setting.Key}.")) yield return difference;
            }
            else if (Value(setting, one) is var first && Value(setting, other) is var second && first != second)
            {
                yield return (path + setting.Key, first, second);
            }
        }
    }

    private static void Collect(List<string> lines, object section, object defaults, string path)
    {
        foreach (var setting in Setting.Of(section.GetType()).Where(setting => !setting.Attribute.Unhashed))
        {
            object? value = setting.Property.GetValue(section), standard = setting.Property.GetValue(defaults);
            if (setting.IsSection) Collect(lines, value!, standard!, $"{path}{setting.Key}.");
            else if (setting.IsList && Setting.IsSectionType(setting.Type))
            {
                int index = 0;
                foreach (object item in (IEnumerable)value!)
                    Collect(lines, item, Activator.CreateInstance(setting.Type)!, $"{path}{setting.Key}[{index++}].");
                lines.Add($"{path}{setting.Key}: {index}");
            }
            else if (Value(setting, value) is var written && written != Value(setting, standard))
            {
                lines.Add($"{path}{setting.Key}: {written}");
            }
        }
    }

    private static void WriteSection(StringBuilder text, object section, object defaults, string indent, bool commented)
    {
        foreach (var setting in Setting.Of(section.GetType()))
        {
            object? value = setting.Property.GetValue(section);
            if (setting.IsSection)
            {
                if (commented) text.Append('\n');
                if (commented) Comment(text, indent, setting.Attribute.Documentation);
                text.Append(indent).Append(setting.Key).Append(":\n");
                WriteSection(text, value!, setting.Property.GetValue(defaults)!, indent + "  ", commented);
                continue;
            }

            string written = Value(setting, value), standard = Value(setting, setting.Property.GetValue(defaults));
            if (commented)
            {
                Comment(
                    text, indent,
                    $"{setting.Attribute.Documentation} ({setting.Expected}{(written == standard ? "" : $"; default {standard}")})");
                if (setting.IsList && Setting.IsSectionType(setting.Type))
                {
                    foreach (var below in Setting.Of(setting.Type))
                        Comment(
                            text, indent,
                            $"- {below.Key}: {below.Attribute.Documentation} "
                            + $"({below.Expected}{(below.Attribute.Required ? "; required" : "")})");
                }
            }

            // A shorthand is shown, but not set: what it stands for is printed under the other keys.
            text.Append(indent)
                .Append(setting.Attribute.Shorthand ? "# " : "")
                .Append(setting.Key)
                .Append(": ")
                .Append(written)
                .Append('\n');
        }
    }

    private static string Value(Setting setting, object? value) => value is IEnumerable items and not string
        ? $"[{string.Join(", ", items.Cast<object>().Select(item => Item(setting, item)))}]"
        : Item(setting, value);

    private static string Item(Setting setting, object? value) => value switch
    {
        null => "none",
        bool truth => truth ? "true" : "false",
        int or long => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        double number => Setting.Number(number),
        string text => Text(text),
        FileOrMapping { File: { } file } => Text(file),

        SettingsTree tree => Tree(tree.Root),

        // JSON is YAML.
        FileOrMapping { Mapping: { } mapping } => mapping.ToJsonString(),
        Enum => setting.Choices.First(choice => choice.Value.Equals(value)).Name,
        _ => $"{{ {string.Join(", ", Setting.Of(value.GetType()).Select(below => Entry(below, value)))} }}",
    };

    private static string Entry(Setting setting, object section) => $"{setting.Key}: {Value(setting, setting.Property.GetValue(section))}";

    internal static string Tree(SettingsNode node) => node switch
    {
        MappingNode { Entries: [] } => "{}",
        MappingNode mapping => $"{{ {string.Join(", ", mapping.Entries.Select(entry => $"{Text(entry.Key)}: {Tree(entry.Value)}"))} }}",
        ListNode list => $"[{string.Join(", ", list.Items.Select(Tree))}]",
        ScalarNode { Plain: false } scalar => Quoted(scalar.Text),
        ScalarNode { IsEmpty: true } => "none",
        ScalarNode scalar => PlainText().IsMatch(scalar.Text) ? scalar.Text : Quoted(scalar.Text),
        _ => throw new ArgumentOutOfRangeException(nameof(node), node, null),
    };

    /// <summary>Text without quotes where nothing else could be meant by it.</summary>
    private static string Text(string text)
    {
        return SafeText().IsMatch(text) && text is not ("none" or "null" or "true" or "false") ? text : Quoted(text);
    }

    private static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            if (c is '"' or '\\') quoted.Append('\\').Append(c);
            else if (char.IsControl(c) || c is '\u2028' or '\u2029' or '\ufeff' or '\ufffe' or '\uffff')
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    private static void Comment(StringBuilder text, string indent, string comment)
    {
        int column = 0;
        foreach (string word in comment.Split(' '))
        {
            if (column > 0 && column + 1 + word.Length > Width)
            {
                text.Append('\n');
                column = 0;
            }

            if (column == 0)
            {
                text.Append(indent).Append('#');
                column = indent.Length + 1;
            }

            text.Append(' ').Append(word);
            column += 1 + word.Length;
        }

        text.Append('\n');
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_./+-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex SafeText();

    [GeneratedRegex("^[A-Za-z0-9_./+-]+$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainText();
}
