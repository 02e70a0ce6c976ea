namespace Wisca.Evaluation.Flatness;

/// <summary>How much higher the loss is nearby.</summary>
/// <param name="Adaptive">Whether the ball is measured against the weights (ASAM).</param>
/// <param name="Radius">Its radius.</param>
/// <param name="Steps">Steps of ascent.</param>
/// <param name="Loss">The loss in the middle.</param>
/// <param name="Highest">The highest loss that the ascent met.</param>
public sealed record SharpnessEstimate(bool Adaptive, double Radius, int Steps, double Loss, double Highest)
{
    /// <summary>Highest - Loss: a lower bound of the maximum over the ball.</summary>
    public double Sharpness => Highest - Loss;
}
