namespace Wisca.Settings;

/// <summary>A list of values.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
/// <param name="Items">The values in their order.</param>
internal sealed record ListNode(string Place, List<SettingsNode> Items) : SettingsNode(Place);
