using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>One tensor of the state that a parameter has after its first step.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Degree">As in <see cref="StateTensor"/>.</param>
/// <param name="Axes">Its axes; none for those of the parameter.</param>
internal sealed record StateLayout(string Name, int Degree, params IReadOnlyList<AxisLayout> Axes)
{
    public long[] ShapeFor(Tensor parameter) => Axes.Count == 0 ? parameter.shape : [.. Axes.Select(axis => parameter.shape[axis.Axis])];
}
