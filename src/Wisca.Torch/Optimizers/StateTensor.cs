using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// A tensor kept beside a parameter while it trains. When the parameter is multiplied by s, its gradient is divided by s, and what was
/// gathered from either has to follow: the tensor is multiplied by s^Degree.
/// </summary>
/// <param name="Name">The state's name, unique for the parameter: <c>exp_avg</c>.</param>
/// <param name="Tensor">The tensor itself, of the parameter's shape unless <see cref="Axes"/> says otherwise. It belongs to its keeper:
/// change its values, do not dispose of it.</param>
/// <param name="Degree">+1 for copies of the weight, -1 for momenta and first moments, -2 for second moments and Gram matrices of the
/// gradient, 0 for what no factor changes: an orthonormal basis.</param>
public sealed record StateTensor(string Name, Tensor Tensor, int Degree)
{
    /// <summary>
    /// What each axis of the tensor follows: by default the parameter's axis of the same number. The gradient's left Gram matrix follows
    /// axis 0 twice, so that a factor for each row comes in from both sides.
    /// </summary>
    public IReadOnlyList<StateAxis> Axes { get; init; } =
        [.. Enumerable.Range(0, (int)Tensor.dim()).Select(axis => new StateAxis(axis))];

    /// <summary>True where each element belongs to the parameter's element at the same place.</summary>
    internal bool IsElementwise => Axes.Index().All(entry => entry.Item is { Basis: null } axis && axis.Parameter == entry.Index);

    /// <summary>The axes whose indices are the parameter's along one of its axes.</summary>
    internal int[] AxesAlong(int axis) =>
        [.. Enumerable.Range(0, Axes.Count).Where(own => Axes[own] is { Basis: null, Parameter: { } followed } && followed == axis)];
}
