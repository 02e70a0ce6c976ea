using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// One parameter, or one part of it, in one step: the weights to change, and a gradient of the same type and layout. A part is a contiguous
/// copy, which the fused kernels need, and is put back after the step.
/// </summary>
internal sealed class ParameterUpdate(OptimizedParameter parameter, Tensor weight, Tensor gradient, PartSettings? part = null)
{
    private readonly List<(Tensor Part, Tensor Copy)> _copies = [];
    private readonly Dictionary<string, Tensor> _state = [];

    public OptimizedParameter Parameter => parameter;

    public Tensor Weight { get; private init; } = weight;

    public Tensor Gradient { get; private init; } = gradient;

    public double LearningRateMultiplier =>
        part is null ? parameter.LearningRateMultiplier : part.LearningRate * parameter.LearningRateFactor;

    public double WeightDecay => part is null ? parameter.WeightDecay : part.Decay * parameter.DecayFactor;

    public double EpsilonMultiplier => part is null ? parameter.EpsilonMultiplier : part.Epsilon * parameter.EpsilonFactor;

    public Tensor State(string name) => part is null ? parameter[name] : _state[name];

    /// <summary>The updates of the parameter's parts; the update itself where it has none.</summary>
    public IEnumerable<ParameterUpdate> Split() => parameter.Parts.Count == 0 ? [this] : parameter.Parts.Select(Of);

    /// <summary>Writes what was computed on copies to where it belongs.</summary>
    public void PutBack()
    {
        foreach (var (view, copy) in _copies) view.copy_(copy);
    }

    private ParameterUpdate Of(PartSettings settings)
    {
        var views = new List<(Tensor, Tensor)>();
        var update = new ParameterUpdate(parameter, Copy(Weight), View(Gradient).contiguous(), settings);
        foreach (var state in parameter.State) update._state[state.Name] = Copy(state.Tensor);
        update._copies.AddRange(views);
        return update;

        Tensor View(Tensor whole) => whole.detach().narrow(whole.dim() - 1, settings.Start, settings.Length);

        Tensor Copy(Tensor whole)
        {
            var view = View(whole);
            views.Add((view, view.clone().contiguous()));
            return views[^1].Item2;
        }
    }
}
