namespace Wisca.Rescaling;

/// <summary>What becomes of a group whose power of two would cost elements bits.</summary>
internal enum LossPolicy
{
    /// <summary>It is scaled; whoever writes it keeps the bits.</summary>
    Scale,

    /// <summary>The same, and the elements are counted beforehand.</summary>
    ScaleAndCount,

    /// <summary>It is left alone.</summary>
    Skip,
}
