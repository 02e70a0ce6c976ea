namespace Wisca.Torch.Optimizers;

/// <summary>One of several equal parts of a parameter along its last axis, with settings of its own.</summary>
/// <param name="Start">The first index along the axis.</param>
/// <param name="Length">How many indices.</param>
/// <param name="LearningRate">Multiplies the learning rate.</param>
/// <param name="Decay">The weight decay.</param>
/// <param name="Epsilon">Multiplies the epsilon.</param>
internal sealed record PartSettings(long Start, long Length, double LearningRate, double Decay, double Epsilon);
