using System.Text.Json.Serialization;

namespace Wisca.Transitions;

/// <summary>How the two factors of a LoRA module are balanced.</summary>
public enum FactorGranularity
{
    /// <summary>One factor: |A| = |B|.</summary>
    Tensor,

    /// <summary>A factor for each rank: each row of A and column of B have equal norms.</summary>
    Rank,

    /// <summary>An invertible matrix between them: A A^T = B^T B, where the sum of squares is least
    /// (<see cref="GeneralBalance"/>).</summary>
    [JsonStringEnumMemberName("gl")]
    General,
}
