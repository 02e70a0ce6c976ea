using Wisca.Transitions;

namespace Wisca.Adapters;

/// <summary>What became of the factors of one module.</summary>
/// <param name="Module">The module.</param>
/// <param name="Outcome">What became of it; for ranks, scaled if any of them was.</param>
/// <param name="NormsBefore">|B| and |A| (Frobenius) before.</param>
/// <param name="NormsAfter">The same after, as written.</param>
/// <param name="ImbalanceBefore">|A A^T - B^T B| / (|A A^T| + |B^T B|) before.</param>
/// <param name="ImbalanceAfter">The same after, as written.</param>
/// <param name="Note">A clamp, or why nothing was done; null otherwise.</param>
public sealed record ModuleBalance(
    string Module,
    GroupOutcome Outcome,
    (double B, double A) NormsBefore,
    (double B, double A) NormsAfter,
    double ImbalanceBefore,
    double ImbalanceAfter,
    string? Note);
