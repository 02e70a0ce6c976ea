using System.Diagnostics;
using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.TrainingBenchmarks;

/// <summary>A model in training on random tokens: what the trainer does in a step, without text, logs and checkpoints.</summary>
internal sealed class TrainingCase : IDisposable
{
    private readonly Decoder _model;
    private readonly AdamW _optimizer;
    private readonly WiscaScheduler _scheduler;
    private readonly RotationScheduler? _rotations;
    private readonly Dictionary<string, Parameter> _parameters;
    private readonly long[] _shape;
    private readonly long[] _ids;
    private readonly long[] _targets;
    private long _steps;

    public TrainingCase(string name, string config, int sequences, int length, ScalarType type)
    {
        (Name, Type) = (name, type);
        var parsed = ModelConfig.Parse(config);
        _model = Decoder.Create(DecoderConfig.From(parsed), seed: 1);
        _model.ComputeType = type == ScalarType.Float32 ? null : type;
        var parameters = _model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        _parameters = parameters.ToDictionary(entry => entry.name, entry => entry.parameter, StringComparer.Ordinal);
        Parameters = parameters.Sum(entry => entry.parameter.numel());
        _optimizer = new AdamW(parameters, new AdamWOptions { Beta2 = 0.95 });
        var options = new WiscaOptions { Trigger = new WiscaTrigger { AtStart = false, Every = 0 } };
        _scheduler = new WiscaScheduler(parameters, WiscaScheduler.PlanFor(parameters, parsed, options.Transitions), options, _optimizer);
        if (!_model.Config.TiedHead)
            _rotations = new RotationScheduler(
                parameters, RotationScheduler.PlanFor(_model), new RotationOptions { Source = RotationSource.Gradient }, _optimizer);
        _shape = [sequences, length];
        var random = new Random(1);
        _ids = [.. Enumerable.Range(0, sequences * length).Select(_ => (long)random.Next(_model.Config.VocabularySize))];
        _targets = [.. _ids.Skip(1), _ids[0]];
    }

    public string Name { get; }

    public ScalarType Type { get; }

    public long Parameters { get; }

    public long Tokens => _ids.Length;

    /// <summary>One step; the time of its forward and backward pass, and the loss.</summary>
    public (TimeSpan Passes, double Loss) Step()
    {
        using var scope = NewDisposeScope();
        long began = Stopwatch.GetTimestamp();
        _optimizer.ZeroGradients();
        using var loss = _model.Loss(tensor(_ids, _shape), tensor(_targets, _shape));
        using var tokens = Tokens.ToScalar();
        loss.Total.div(tokens).backward();
        double sum = loss.Sum.ToDouble();
        var passes = Stopwatch.GetElapsedTime(began);
        _optimizer.ClipGradients(1);
        _optimizer.Step(1e-3);
        _steps++;
        return (passes, sum / Tokens);
    }

    /// <summary>A transition on all layers.</summary>
    public void Transition() => _scheduler.Apply(_steps);

    /// <summary>What bounds a transition: multiplying the same weights and moments in place, by one.</summary>
    public void Multiply()
    {
        using var ungraded = no_grad();
        using var one = 1.0.ToScalar();
        foreach (string name in _scheduler.Plan.Tensors)
        {
            _parameters[name].mul_(one);
            foreach (var state in _optimizer.StateOf(name)) state.Tensor.mul_(one);
        }
    }

    /// <summary>Takes up the covariance of the gradients of the last step, as every fourth step does; null where nothing rotates: a tied
    /// last norm would not be trained.</summary>
    public Action? Observe => _rotations is null ? null : () => _rotations.Observe(0);

    /// <summary>As <see cref="Observe"/> for the factors of transitions: what finding them takes.</summary>
    public void Measure() => _scheduler.Imbalances();

    /// <summary>A rotation of the residual stream; null likewise.</summary>
    public Action? Rotate => _rotations is null ? null : () => _rotations.Apply(_steps);

    public void Dispose()
    {
        _rotations?.Dispose();
        _optimizer.Dispose();
        _model.Dispose();
    }
}
