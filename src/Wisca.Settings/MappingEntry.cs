namespace Wisca.Settings;

/// <summary>A key and its value.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value.</param>
public sealed record MappingEntry(string Place, string Key, SettingsNode Value);
