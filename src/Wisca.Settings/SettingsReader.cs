using Wisca.Files;

namespace Wisca.Settings;

/// <summary>
/// Reads a configuration record from YAML, strictly: unknown keys, wrong types, values out of range and settings that contradict each
/// other are all reported at once, each with file and line. The record's keys are described by <see cref="SettingAttribute"/>.
/// </summary>
public static class SettingsReader
{
    private const string Hint = "--print-config prints every key with its meaning, range and default";

    /// <summary>Reads a file.</summary>
    /// <typeparam name="T">The record.</typeparam>
    /// <param name="path">The file; null for the defaults alone.</param>
    /// <param name="overrides">Single settings that win over the file, each <c>section.key=value</c> with the value in YAML.</param>
    /// <param name="hint">Where the keys are described; null for a training's configuration.</param>
    /// <exception cref="WiscaException">The file cannot be read, or there are faults:
    /// <see cref="WiscaException.Details"/> lists them where there are several.</exception>
    public static T Load<T>(string? path, IReadOnlyList<string>? overrides = null, string? hint = null)
        where T : class, new()
    {
        return path is null
            ? Read<T>("", "defaults", overrides, hint)
            : Read<T>(TextFile.Read(path, "name the YAML file of the configuration"), path, overrides, hint);
    }

    /// <summary>Reads a text.</summary>
    /// <typeparam name="T">The record.</typeparam>
    /// <param name="yaml">The YAML; empty for the defaults.</param>
    /// <param name="name">What the text is called in messages.</param>
    /// <param name="overrides">Single settings that win over the text, each <c>section.key=value</c> with the value in YAML.</param>
    /// <param name="hint">Where the keys are described; null for a training's configuration.</param>
    /// <exception cref="WiscaException">There are faults:
    /// <see cref="WiscaException.Details"/> lists them where there are several.</exception>
    public static T Read<T>(string yaml, string name, IReadOnlyList<string>? overrides = null, string? hint = null)
        where T : class, new()
    {
        ArgumentNullException.ThrowIfNull(yaml);
        ArgumentNullException.ThrowIfNull(name);
        var binder = new SettingsBinder();
        var parsed = SettingsParser.Parse(yaml, line => $"{name}:{line}", "", binder);
        if (parsed is not (null or MappingNode or ScalarNode { IsEmpty: true }))
            binder.Fault(parsed.Place, "", "not a mapping, expected keys with values");
        var tree = parsed as MappingNode ?? new MappingNode(name, []);
        foreach (string setting in overrides ?? [])
        {
            int equals = setting.IndexOf('=');
            string place = $"--set {setting}", key = equals < 0 ? setting : setting[..equals].Trim();
            if (equals < 0) binder.Fault(place, key, "no value, expected section.key=value");
            else if (SettingsParser.Parse(setting[(equals + 1)..], _ => place, key, binder) is { } value)
                binder.Override(typeof(T), tree, key, value);
            else if (!binder.IsFaulty(key)) binder.Fault(place, key, "no value, expected section.key=value");
        }

        var config = (T)binder.Bind(typeof(T), tree, name);
        return binder.Faults switch
        {
            [] => config,
            [var only] => throw new WiscaException(only, hint ?? Hint),
            var faults => throw new WiscaException($"{name} has {faults.Count} mistakes", hint ?? Hint) { Details = faults },
        };
    }
}
