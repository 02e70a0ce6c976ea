namespace Wisca.Settings;

/// <summary>A section of a configuration that checks more than its single values.</summary>
public interface ISettingsSection
{
    /// <summary>Reports settings that contradict each other, and replaces shorthands by what they stand for.</summary>
    /// <param name="given">What was given, and where faults are reported.</param>
    /// <returns>The section itself, or a copy of it with shorthands replaced.</returns>
    object Complete(GivenSettings given);
}
