using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Wisca.Settings;

/// <summary>
/// Reads the part of YAML that configurations need: mappings, lists and scalars. Keys given twice, anchors, aliases and tags are faults;
/// what is not YAML at all ends the reading.
/// </summary>
internal sealed class SettingsParser
{
    private const int MaxDepth = 16;
    private readonly Parser _parser;
    private readonly Func<long, string> _place;
    private readonly string _key;
    private readonly SettingsBinder _binder;
    private int _depth;

    private SettingsParser(string text, Func<long, string> place, string key, SettingsBinder binder) =>
        (_parser, _place, _key, _binder) = (new Parser(new StringReader(text)), place, key, binder);

    /// <summary>Reads a text; null where it is empty, or not YAML, which is then among the faults.</summary>
    /// <param name="text">The YAML.</param>
    /// <param name="place">What a line is called in messages.</param>
    /// <param name="key">The key that faults are reported under, empty for a whole file.</param>
    /// <param name="binder">Where faults go.</param>
    public static SettingsNode? Parse(string text, Func<long, string> place, string key, SettingsBinder binder)
    {
        var parser = new SettingsParser(text, place, key, binder);
        try
        {
            return parser.ReadDocument();
        }
        catch (YamlException exception)
        {
            binder.Fault(place(exception.Start.Line), key, $"{exception.Message.TrimEnd('.')}, expected YAML");
            return null;
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or ArgumentException or FormatException or IndexOutOfRangeException)
        {
            // What the library throws on some malformed text, without saying where: the last thing it read is near.
            binder.Fault(place(parser._parser.Current?.End.Line ?? 1), key, "malformed here or just below, expected YAML");
            return null;
        }
    }

    private SettingsNode? ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out _)) return null;
        _parser.Consume<DocumentStart>();
        var node = Read(_key);
        _parser.Consume<DocumentEnd>();
        if (_parser.Accept<StreamEnd>(out _)) return node;
        throw new YamlException(_parser.Current!.Start, _parser.Current.End, "a second document");
    }

    private SettingsNode Read(string path)
    {
        string place = _place(_parser.Current!.Start.Line);
        if (_parser.Current is NodeEvent node && !(node.Anchor.IsEmpty && node.Tag.IsEmpty))
            _binder.Fault(place, path, $"{(node.Tag.IsEmpty ? "an anchor" : "a tag")}, expected a plain value");
        if (++_depth > MaxDepth) throw new YamlException(_parser.Current.Start, _parser.Current.End, $"more than {MaxDepth} levels");
        SettingsNode read;
        if (_parser.TryConsume<Scalar>(out var scalar)) read = new ScalarNode(place, scalar.Value, scalar.Style == ScalarStyle.Plain);
        else if (_parser.TryConsume<SequenceStart>(out _)) read = ReadList(place, path);
        else if (_parser.TryConsume<MappingStart>(out _)) read = ReadMapping(place, path);
        else throw new YamlException(_parser.Current.Start, _parser.Current.End, "an alias");
        _depth--;
        return read;
    }

    private ListNode ReadList(string place, string path)
    {
        var items = new List<SettingsNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _)) items.Add(Read($"{path}[{items.Count}]"));
        return new ListNode(place, items);
    }

    private MappingNode ReadMapping(string place, string path)
    {
        var mapping = new MappingNode(place, []);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            string keyPlace = _place(_parser.Current!.Start.Line);
            if (!_parser.TryConsume<Scalar>(out var key))
                throw new YamlException(_parser.Current.Start, _parser.Current.End, "a key that is not text");
            string keyPath = path.Length == 0 ? key.Value : $"{path}.{key.Value}";
            var value = Read(keyPath);
            if (mapping.Find(key.Value) is { } earlier)
                _binder.Fault(keyPlace, keyPath, $"given twice, expected once (first at {earlier.Place})");
            else mapping.Entries.Add(new MappingEntry(keyPlace, key.Value, value));
        }

        return mapping;
    }
}
