namespace Wisca.Settings;

/// <summary>A single value, as text.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
/// <param name="Text">The text.</param>
/// <param name="Plain">True where it stands without quotes, so that it may be a number, true, false or none.</param>
public sealed record ScalarNode(string Place, string Text, bool Plain) : SettingsNode(Place)
{
    /// <summary>True where nothing stands behind the key.</summary>
    public bool IsEmpty => Plain && Text.Length == 0;

    /// <summary>True where it says none.</summary>
    public bool IsNone => Plain && Text is ("none" or "null" or "~");
}
