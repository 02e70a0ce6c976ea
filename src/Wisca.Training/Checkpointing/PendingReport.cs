namespace Wisca.Training.Checkpointing;

/// <summary>Sums over the steps since the last report,
/// so that the first report of a resumed run is that of a run that never stopped.</summary>
/// <param name="Steps">Number of steps.</param>
/// <param name="Tokens">Number of tokens trained on.</param>
/// <param name="Loss">Sum of the losses.</param>
/// <param name="Auxiliary">Sum of the load-balancing losses.</param>
/// <param name="Seconds">Seconds spent.</param>
/// <param name="PassSeconds">Seconds spent in forward and backward passes.</param>
public readonly record struct PendingReport(int Steps, long Tokens, double Loss, double Auxiliary, double Seconds, double PassSeconds);
