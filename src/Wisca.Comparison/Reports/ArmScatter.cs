namespace Wisca.Comparison.Reports;

/// <summary>How much an arm's paired differences of the loss scatter from seed to seed.</summary>
/// <param name="Study">The study's name.</param>
/// <param name="Model">Regime and model.</param>
/// <param name="Arm">The arm, against the baseline, each at its best learning rate.</param>
/// <param name="Pairs">Number of seeds; two at least.</param>
/// <param name="Deviation">Standard deviation of the differences, in nats.</param>
public sealed record ArmScatter(string Study, string Model, string Arm, int Pairs, double Deviation);
