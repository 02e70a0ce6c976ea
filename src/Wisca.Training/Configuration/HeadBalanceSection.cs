using Wisca.Settings;
using Wisca.Torch.Transitions;

namespace Wisca.Training.Configuration;

/// <summary>Balancing of the two sides of each head by a matrix while a model trains.</summary>
public sealed record HeadBalanceSection
{
    /// <summary>Balance every so many steps; 0 for never.</summary>
    [Setting("Balance every so many steps; 0 for never.", Minimum = 0)]
    public int Every { get; init; }

    /// <summary>The last step with a balancing; none for the last of the run.</summary>
    [Setting("The last step with a balancing; none for the last of the run.", Minimum = 0)]
    public int? Until { get; init; }

    /// <summary>
    /// What becomes of the optimizer's second moments: mix mixes them by the squares of the matrix that momenta follow by, keep leaves
    /// them where they are, reset clears all state of balanced tensors.
    /// </summary>
    [Setting(
        "What becomes of the optimizer's second moments: mix mixes them by the squares of the matrix that momenta follow by, keep leaves "
        + "them where they are, reset clears all state of balanced tensors.")]
    public SecondMomentPolicy State { get; init; } = SecondMomentPolicy.Mix;

    /// <summary>True where there is anything to do.</summary>
    public bool IsActive => Every > 0;

    /// <summary>The same for a balancer.</summary>
    public HeadBalancerOptions Options => new() { Every = Every, Until = Until, State = State };
}
