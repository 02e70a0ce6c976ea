namespace Wisca.Settings;

/// <summary>A value of a configuration file that knows where it stands.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
public abstract record SettingsNode(string Place);
