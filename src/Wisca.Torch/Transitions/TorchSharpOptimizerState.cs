using TorchSharp.Modules;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;
using AdamW = TorchSharp.Modules.AdamW;

namespace Wisca.Torch.Transitions;

/// <summary>
/// The state of one of TorchSharp's own optimizers: Adam, AdamW, SGD or RMSProp. What another one keeps is not known here, and a
/// transition that did not move it would be a silent fault, so others are refused.
/// </summary>
/// <remarks>
/// TorchSharp keys state by the parameter's native handle: build the optimizer after every <c>to(...)</c>, as always with it.
/// </remarks>
internal sealed class TorchSharpOptimizerState : IOptimizerState
{
    private readonly Dictionary<string, OptimizerState> _states = new(StringComparer.Ordinal);

    /// <param name="optimizer">The optimizer.</param>
    /// <param name="parameters">The model's parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <exception cref="WiscaException">The optimizer is of another kind, or holds a parameter that is not among them.</exception>
    public TorchSharpOptimizerState(optim.Optimizer optimizer, IEnumerable<(string Name, Parameter Parameter)> parameters)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(parameters);
        if (optimizer is not (Adam or AdamW or SGD or RMSProp) || optimizer is not OptimizerHelper helper)
        {
            throw new WiscaException(
                $"the state of optimizer {optimizer.GetType().Name} is not known, so it could not follow a transition",
                "supported are TorchSharp's Adam, AdamW, SGD and RMSProp and the optimizers of Wisca.Torch.Optimizers; "
                + "for your own implement IOptimizerState");
        }

        var names = parameters.ToDictionary(entry => entry.Parameter.Handle, entry => entry.Name);
        var states = helper.state_dict();
        foreach (var (parameter, index) in helper.parameters().Zip(states.StateIndexRef.SelectMany(indices => indices)))
        {
            if (!names.TryGetValue(parameter.Handle, out string? name))
                throw new WiscaException(
                    $"the optimizer holds a parameter of shape [{string.Join(", ", parameter.shape)}] that the model does not have",
                    "build the optimizer from the same model, after its last to(...)");
            _states[name] = states.State[index];
        }
    }

    /// <inheritdoc />
    public IReadOnlyList<StateTensor> StateOf(string parameter)
    {
        (string Name, Tensor? Tensor, int Degree)[] tensors = _states.GetValueOrDefault(parameter) switch
        {
            Adam.State adam =>
            [
                ("exp_avg", adam.exp_avg, -1), ("exp_avg_sq", adam.exp_avg_sq, -2), ("max_exp_avg_sq", adam.max_exp_avg_sq, -2),
            ],
            AdamW.State adamW =>
            [
                ("exp_avg", adamW.exp_avg, -1), ("exp_avg_sq", adamW.exp_avg_sq, -2), ("max_exp_avg_sq", adamW.max_exp_avg_sq, -2),
            ],
            SGD.State sgd => [("momentum_buffer", sgd.momentum_buffer, -1)],
            RMSProp.State rms =>
            [
                // Its momentum is one of updates, which are gradients over the root of their squares: no factor is left in it.
                ("square_avg", rms.square_avg, -2), ("momentum_buffer", rms.momentum_buffer, 0), ("grad_avg", rms.grad_avg, -1),
            ],
            _ => [],
        };
        return
        [
            .. tensors.Where(state => state.Tensor is not null).Select(state => new StateTensor(state.Name, state.Tensor!, state.Degree)),
        ];
    }

    /// <inheritdoc />
    public void Reset(string parameter)
    {
        foreach (var state in StateOf(parameter)) state.Tensor.zero_();
        switch (_states.GetValueOrDefault(parameter))
        {
            case Adam.State adam: adam.step = 0; break;
            case AdamW.State adamW: adamW.step = 0; break;
            case RMSProp.State rms: rms.step = 0; break;
        }
    }

    /// <inheritdoc />
    public void RefreshFromMaster(string parameter)
    {
        // TorchSharp's optimizers keep no masters.
    }

    /// <inheritdoc />
    public bool HasEpsilon(string parameter) => false;

    /// <inheritdoc />
    public void MultiplyEpsilon(string parameter, double factor) =>
        throw new NotSupportedException(
            "TorchSharp's optimizers have one epsilon for a whole group; Wisca.Torch.Optimizers.AdamW has one for each parameter");

    /// <inheritdoc />
    public void MultiplyLearningRate(string parameter, double factor, bool keepDecay = true) =>
        throw new NotSupportedException(
            "TorchSharp's optimizers have one learning rate for a whole group; "
            + "those of Wisca.Torch.Optimizers have one for each parameter");
}
