using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Wisca.Settings;

/// <summary>Turns the tree of a configuration file into its record, and collects every fault on the way.</summary>
public sealed class SettingsBinder
{
    private readonly List<(string Place, string Key, string Message)> _faults = [];
    private Type _root = typeof(object);

    /// <summary>One line for each fault, in the order of the file: <c>file:line: key: what, expected what</c>.</summary>
    public IReadOnlyList<string> Faults =>
        [
            .. _faults
                .OrderBy(fault => Line(fault.Place))
                .Select(fault => $"{fault.Place}: {(fault.Key.Length > 0 ? fault.Key + ": " : "")}{fault.Message}"),
        ];

    /// <summary>Records a mistake.</summary>
    /// <param name="place">File and line, or the option that gave it.</param>
    /// <param name="key">The key; empty for the whole.</param>
    /// <param name="message">What is wrong, and what was expected.</param>
    public void Fault(string place, string key, string message) => _faults.Add((place, key, message));

    /// <summary>True where a key, or something below it, is known to be wrong.</summary>
    public bool IsFaulty(string key) =>
        _faults.Any(fault =>
            fault.Key.StartsWith(key, StringComparison.Ordinal) && (fault.Key.Length == key.Length || fault.Key[key.Length] is '.' or '['));

    /// <param name="root">The type of the whole configuration.</param>
    /// <param name="tree">What is given.</param>
    /// <param name="place">What messages name where nothing else is near.</param>
    /// <param name="start">What holds where nothing is given; null for the defaults.</param>
    public object Bind(Type root, MappingNode? tree, string place, object? start = null)
    {
        _root = root;
        return BindSection(root, tree, "", place, start);
    }

    /// <summary>Puts a value into the tree in place of what the file has there.</summary>
    /// <param name="root">The type of the whole configuration.</param>
    /// <param name="tree">The tree.</param>
    /// <param name="path">The key, with dots between levels.</param>
    /// <param name="value">The value.</param>
    public void Override(Type root, MappingNode tree, string path, SettingsNode value)
    {
        _root = root;
        var section = root;
        string[] parts = path.Split('.');
        for (int index = 0; index < parts.Length; index++)
        {
            string key = parts[index], prefix = string.Concat(parts.Take(index).Select(part => part + "."));

            // Below a mapping that is passed on as it is, any key may be set.
            if (section is not null)
            {
                if (Setting.Of(section).FirstOrDefault(setting => setting.Key == key) is not { } setting)
                {
                    Fault(value.Place, path, Unknown(section, prefix, key));
                    return;
                }

                section = setting.IsSection ? setting.Type : null;
                if (
                    index < parts.Length - 1
                    && section is null
                    && setting.Type != typeof(FileOrMapping)
                    && setting.Type != typeof(SettingsTree))
                {
                    Fault(value.Place, path, $"'{prefix}{key}' has no keys below it, expected {prefix}{key}=VALUE");
                    return;
                }
            }

            var entry = tree.Find(key);
            if (index == parts.Length - 1)
            {
                tree.Entries.RemoveAll(old => old.Key == key);
                tree.Entries.Add(new MappingEntry(value.Place, key, value).Laid());
                return;
            }

            if (entry?.Value is MappingNode below)
            {
                tree = below;
            }
            else if (entry?.Value is null or ScalarNode { IsEmpty: true })
            {
                var added = new MappingNode(value.Place, []);
                tree.Entries.RemoveAll(old => old.Key == key);
                tree.Entries.Add(new MappingEntry(value.Place, key, added));
                tree = added;
            }
            else
            {
                Fault(value.Place, path, $"'{prefix}{key}' is not a mapping at {entry.Place}, expected one to set a key in");
                return;
            }
        }
    }

    private static int Line(string place) =>
        !place.StartsWith("--", StringComparison.Ordinal)
        && int.TryParse(place.AsSpan(place.LastIndexOf(':') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int line)
            ? line
            : int.MaxValue;

    private object BindSection(Type type, MappingNode? mapping, string path, string place, object? start = null)
    {
        // The compiler's own way to copy a record.
        object section = start is null ? Activator.CreateInstance(type)! : type.GetMethod("<Clone>$")!.Invoke(start, null)!;
        var settings = Setting.Of(type);
        foreach (var entry in mapping?.Entries ?? [])
        {
            if (settings.All(setting => setting.Key != entry.Key)) Fault(entry.Place, path + entry.Key, Unknown(type, path, entry.Key));
        }

        foreach (var setting in settings)
        {
            string key = path + setting.Key;
            var entry = mapping?.Find(setting.Key);
            if (entry is null && setting.Attribute.Required) Fault(place, key, $"missing, expected {setting.Expected}");
            if (setting.IsSection)
            {
                // A section whose keys are all commented out is an empty scalar.
                var below = entry?.Value as MappingNode;
                if (entry is not null && below is null && entry.Value is not ScalarNode { IsEmpty: true }) Wrong(entry.Value, key, setting);
                setting.Property.SetValue(
                    section,
                    BindSection(setting.Type, below, key + ".", entry?.Place ?? place, setting.Property.GetValue(section)));
            }
            else if (entry is not null && Read(setting, entry, key) is { } read)
            {
                setting.Property.SetValue(section, read.Value);
            }
        }

        return section is ISettingsSection checking ? checking.Complete(new GivenSettings(this, mapping, path, place)) : section;
    }

    /// <summary>The value of a key; null where it is wrong.</summary>
    private Read? Read(Setting setting, MappingEntry entry, string key)
    {
        if (setting.AllowsNone && entry.Value is ScalarNode { IsNone: true }) return new Read(null);
        if (!setting.IsList) return ReadOne(setting, entry.Value, key);

        // One item may stand without the brackets.
        var items = entry.Value is ListNode list ? list.Items : [entry.Value];
        if (setting.Attribute.Count > 0 && items.Count != setting.Attribute.Count)
        {
            Fault(entry.Value.Place, key, $"{items.Count} item{(items.Count == 1 ? "" : "s")}, expected {setting.Expected}");
            return null;
        }

        var read = items.Select((item, index) => ReadOne(setting, item, entry.Value is ListNode ? $"{key}[{index}]" : key)).ToList();
        if (read.Contains(null)) return null;
        var array = Array.CreateInstance(setting.Type, read.Count);
        for (int index = 0; index < read.Count; index++) array.SetValue(read[index]!.Value, index);
        return new Read(array);
    }

    private Read? ReadOne(Setting setting, SettingsNode node, string key)
    {
        object? value = node switch
        {
            MappingNode mapping when Setting.IsSectionType(setting.Type) => BindSection(setting.Type, mapping, key + ".", mapping.Place),
            MappingNode mapping when setting.Type == typeof(SettingsTree) => new SettingsTree(mapping),
            MappingNode mapping when setting.Type == typeof(FileOrMapping) => new FileOrMapping((JsonObject)ToJson(mapping)!),
            ScalarNode { IsEmpty: false } scalar => ReadScalar(setting, scalar),
            _ => null,
        };
        if (value is null) Wrong(node, key, setting);
        return value is null ? null : new Read(value);
    }

    private static object? ReadScalar(Setting setting, ScalarNode scalar)
    {
        string text = scalar.Text;
        if (setting.Type == typeof(string) || setting.Type == typeof(FileOrMapping))
        {
            bool good =
                text.Length > 0
                && !scalar.IsNone
                && (setting.Attribute.Pattern is not { } pattern || Regex.IsMatch(text, $"^(?:{pattern})$", RegexOptions.CultureInvariant));
            return !good ? null : setting.Type == typeof(string) ? text : new FileOrMapping(text);
        }

        // Text in quotes is text: "4" is not a number, "true" no truth value.
        if (setting.Type == typeof(SettingsTree)) return null;
        if (setting.Type.IsEnum) return setting.Choices.FirstOrDefault(choice => choice.Name == text).Value;
        if (!scalar.Plain) return null;
        if (setting.Type == typeof(bool)) return text switch { "true" => true, "false" => false, _ => null };
        if (setting.Type == typeof(double)) return TryNumber(text, out double number) && setting.IsInRange(number) ? number : null;
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) || !setting.IsInRange(whole))
            return null;
        if (setting.Type == typeof(long)) return whole;
        return setting.Type == typeof(int) && whole is >= int.MinValue and <= int.MaxValue ? (int)whole : null;
    }

    private static bool TryNumber(string text, out double number) =>
        double.TryParse(
            text, NumberStyles.Float & ~(NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite), CultureInfo.InvariantCulture,
            out number
        ) && double.IsFinite(number);

    private void Wrong(SettingsNode node, string key, Setting setting)
    {
        string found = node switch
        {
            ListNode => "a list",
            MappingNode => "a mapping",
            ScalarNode { IsEmpty: true } => "nothing",
            ScalarNode { Plain: true, Text: var text } => $"'{text}'",
            ScalarNode { Text: var text } => $"the text \"{text}\"",
            _ => "?",
        };
        string near =
            setting.Type.IsEnum && node is ScalarNode scalar ? Near(scalar.Text, setting.Choices.Select(choice => choice.Name)) : "";
        Fault(node.Place, key, $"{found}, expected {setting.Expected}{near}");
    }

    private string Unknown(Type section, string path, string key)
    {
        var known = Setting.Of(section).Select(setting => setting.Key).ToList();
        string near = Near(key, known);
        if (near.Length == 0)
        {
            // Perhaps the right key in the wrong section.
            string[] elsewhere =
            [
                .. AllKeys(_root, "").Where(other => other == key || other.EndsWith("." + key, StringComparison.Ordinal)),
            ];
            near = elsewhere.Length > 0 ? $" (did you mean '{string.Join("' or '", elsewhere)}'?)" : "";
        }

        return near.Length > 0
            ? $"unknown key{near}"
            : $"unknown key, expected {(path.Length > 0 ? $"in '{path.TrimEnd('.')}' " : "")}one of {string.Join(", ", known)}";
    }

    private static IEnumerable<string> AllKeys(Type section, string path) => Setting.Of(section).SelectMany(setting =>
        setting.IsSection ? AllKeys(setting.Type, $"{path}{setting.Key}.").Prepend(path + setting.Key) : [path + setting.Key]);

    private static string Near(string text, IEnumerable<string> names)
    {
        var (name, distance) = names.Select(name => (name, Distance(text, name))).MinBy(entry => entry.Item2);
        return distance <= Math.Max(1, name.Length / 3) ? $" (did you mean '{name}'?)" : "";
    }

    /// <summary>The number of letters to insert, delete, replace or exchange with the next that lead from one word to the other.</summary>
    private static int Distance(string a, string b)
    {
        int[,] distances = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    distances[i, j] = i + j;
                    continue;
                }

                int best = Math.Min(
                    Math.Min(distances[i - 1, j], distances[i, j - 1]) + 1,
                    distances[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) best = Math.Min(best, distances[i - 2, j - 2] + 1);
                distances[i, j] = best;
            }
        }

        return distances[a.Length, b.Length];
    }

    private static JsonNode? ToJson(SettingsNode node) => node switch
    {
        MappingNode mapping => new JsonObject(mapping.Entries.Select(entry => KeyValuePair.Create(entry.Key, ToJson(entry.Value)))),
        ListNode list => new JsonArray([.. list.Items.Select(ToJson)]),
        ScalarNode { Plain: false } scalar => JsonValue.Create(scalar.Text),
        ScalarNode { Text: "null" or "~" or "" } => null,
        ScalarNode { Text: "true" } => JsonValue.Create(true),
        ScalarNode { Text: "false" } => JsonValue.Create(false),
        ScalarNode scalar
            when long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) =>
            JsonValue.Create(whole),
        ScalarNode scalar when TryNumber(scalar.Text, out double number) => JsonValue.Create(number),
        ScalarNode scalar => JsonValue.Create(scalar.Text),
        _ => throw new ArgumentOutOfRangeException(nameof(node), node, null),
    };
}

/// <summary>A value that was read, which may be none.</summary>
/// <param name="Value">The value; null for none.</param>
internal sealed record Read(object? Value);
