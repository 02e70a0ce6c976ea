using Wisca.Torch.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>
/// Textbook updates by single tensor operations, with a learning rate and an epsilon for every element: what the fused kernels are held to,
/// and what factors for single heads need.
/// </summary>
internal sealed class PlainOptimizer : IOptimizerState
{
    private readonly Func<PlainOptimizer, string, Tensor, Tensor> _update;
    private readonly IReadOnlyList<(string Name, Parameter Parameter)> _parameters;
    private readonly Dictionary<string, Dictionary<string, StateTensor>> _state = [];
    private int _steps;

    private PlainOptimizer(
        IReadOnlyList<(string Name, Parameter Parameter)> parameters,
        Func<PlainOptimizer, string, Tensor, Tensor> update)
    {
        _parameters = parameters;
        _update = update;
        foreach (var (name, parameter) in parameters)
        {
            LearningRates[name] = ones_like(parameter).detach();
            Epsilons[name] = full_like(parameter, 1e-6).detach();
            _state[name] = [];
        }
    }

    /// <summary>Multipliers of the learning rate, one for each element.</summary>
    public Dictionary<string, Tensor> LearningRates { get; } = [];

    public Dictionary<string, Tensor> Epsilons { get; } = [];

    public static PlainOptimizer AdamW(IReadOnlyList<(string Name, Parameter Parameter)> parameters) =>
        new(
            parameters,
            (self, name, gradient) =>
            {
                const double beta1 = 0.9,
                    beta2 = 0.99;
                var m = self.Keep(name, "exp_avg", -1, gradient);
                var v = self.Keep(name, "exp_avg_sq", -2, gradient);
                m.mul_(beta1).add_(gradient * (1 - beta1));
                v.mul_(beta2).add_(gradient * gradient * (1 - beta2));
                return m / (1 - Math.Pow(beta1, self._steps)) / ((v / (1 - Math.Pow(beta2, self._steps))).sqrt() + self.Epsilons[name]);
            });

    public static PlainOptimizer Lion(IReadOnlyList<(string Name, Parameter Parameter)> parameters) =>
        new(
            parameters,
            (self, name, gradient) =>
            {
                var m = self.Keep(name, "exp_avg", -1, gradient);
                var direction = ((m * 0.9) + (gradient * 0.1)).sign();
                m.mul_(0.99).add_(gradient * 0.01);
                return direction;
            });

    public static PlainOptimizer Sgd(IReadOnlyList<(string Name, Parameter Parameter)> parameters) =>
        new(parameters, (self, name, gradient) => self.Keep(name, "momentum_buffer", -1, gradient).mul_(0.9).add_(gradient));

    public void Step(double learningRate)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        _steps++;
        foreach (var (name, parameter) in _parameters)
            parameter.sub_(_update(this, name, parameter.grad!) * LearningRates[name] * learningRate);
    }

    public IReadOnlyList<StateTensor> StateOf(string parameter) => [.. _state[parameter].Values];

    public void Reset(string parameter) => _state[parameter].Clear();

    public void RefreshFromMaster(string parameter)
    {
    }

    public bool HasEpsilon(string parameter) => false;

    public void MultiplyEpsilon(string parameter, double factor) => throw new NotSupportedException();

    public void MultiplyLearningRate(string parameter, double factor, bool keepDecay = true) => throw new NotSupportedException();

    private Tensor Keep(string name, string state, int degree, Tensor like)
    {
        if (!_state[name].TryGetValue(state, out var kept))
            _state[name][state] = kept = new StateTensor(state, zeros_like(like).DetachFromDisposeScope(), degree);
        return kept.Tensor;
    }
}
