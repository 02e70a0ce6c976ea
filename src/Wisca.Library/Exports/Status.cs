namespace Wisca.Library.Exports;

/// <summary>What a function of the C interface returns.</summary>
internal enum Status
{
    /// <summary>Done.</summary>
    Ok,

    /// <summary>Bad input or a failed check, which a user can act on.</summary>
    Failed,

    /// <summary>Arguments or JSON that are not as described.</summary>
    Usage,

    /// <summary>Cancelled; nothing half-written is left.</summary>
    Cancelled,

    /// <summary>A fault of the library.</summary>
    Internal,
}
