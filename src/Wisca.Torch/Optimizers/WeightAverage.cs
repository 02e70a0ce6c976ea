using Wisca.Safetensors;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// The exponential moving average of weights, average += (1 - decay) * (weight - average), from the weights as they were at first. It is
/// kept in float32 for 16-bit parameters and in the parameter's own type otherwise.
/// State: <c>average</c>, a copy of the weight (degree +1).
/// </summary>
public sealed class WeightAverage : IParameterState, IDisposable
{
    private const string StateName = "average";
    private readonly Dictionary<string, (Parameter Parameter, Tensor Average)> _byName = new(StringComparer.Ordinal);
    private readonly double _decay;
    private bool _swapped;

    /// <summary>Copies the parameters as they are.</summary>
    /// <param name="parameters">The parameters by name, as <c>named_parameters()</c> gives them.</param>
    /// <param name="decay">What an update keeps of the average, in [0, 1).</param>
    public WeightAverage(IEnumerable<(string name, Parameter parameter)> parameters, double decay = 0.999)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        TorchRuntime.Require();
        OptionCheck.Decay("decay of the weight average", decay);
        _decay = decay;
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in parameters)
        {
            var average = parameter.detach().to(Wide(parameter.dtype), copy: true).DetachFromDisposeScope();
            if (!_byName.TryAdd(name, (parameter, average)))
                throw new ArgumentException($"two parameters are called {name}", nameof(parameters));
        }
    }

    /// <inheritdoc />
    public IReadOnlyList<StateTensor> StateOf(string parameter) =>
        _byName.TryGetValue(parameter, out var found) ? [new StateTensor(StateName, found.Average, 1)] : [];

    /// <summary>Moves the average towards the weights, usually after each step.</summary>
    /// <param name="decay">What is kept of the average this time, in [0, 1]; null for the average's own decay.</param>
    public void Update(double? decay = null)
    {
        double kept = decay ?? _decay;
        if (!(kept >= 0 && kept <= 1)) throw new ArgumentOutOfRangeException(nameof(decay), decay, "not in [0, 1]");
        if (_swapped) throw new InvalidOperationException("the parameters hold the average");
        if (_byName.Count == 0) return;
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var weights = _byName.Values.Select(pair =>
            pair.Parameter.dtype == pair.Average.dtype ? pair.Parameter : pair.Parameter.to(pair.Average.dtype));
        OptimizerKernels.Approach([.. _byName.Values.Select(pair => pair.Average)], [.. weights], 1 - kept);
    }

    /// <summary>
    /// Puts the average into the parameters, until the result is disposed of: then they hold their own weights again, to the bit. In
    /// between nothing may update or rescale them.
    /// </summary>
    public IDisposable SwapIn()
    {
        if (_swapped) throw new InvalidOperationException("the parameters hold the average already");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var weights = _byName
            .Values.Select(pair => (pair.Parameter, Weight: pair.Parameter.detach().clone().DetachFromDisposeScope()))
            .ToList();
        foreach (var (parameter, average) in _byName.Values) parameter.copy_(average);
        _swapped = true;
        return new Swap(this, weights);
    }

    /// <summary>Writes the averages as a safetensors file, under the parameters' names.</summary>
    /// <param name="path">The file; it is replaced once the new one is complete.</param>
    /// <exception cref="WiscaException">The file cannot be written.</exception>
    public void Save(string path) => StateFile.Write(
        path, [.. _byName.Select(pair => (pair.Key, pair.Value.Average))], new Dictionary<string, string> { ["wisca.state"] = StateName });

    /// <summary>Reads what <see cref="Save"/> wrote, to the bit, into the tensors of <see cref="StateOf"/>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">Names, shapes or types differ;
    /// the message lists the differences, and nothing has changed.</exception>
    public void Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        var differences = _byName
            .Select(pair => StateFile.Difference(file, pair.Key, pair.Value.Average.shape, pair.Value.Average.dtype))
            .OfType<string>();
        var unknown = file.Header.Tensors.Where(tensor => !_byName.ContainsKey(tensor.Name));
        var others = unknown.Select(tensor => $"{tensor.Name} {tensor.ShapeText} is not a parameter of the model");
        StateFile.ThrowIfAny([.. differences, .. others], path, "the averages are not those of this model");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        foreach (var (name, (_, average)) in _byName)
        {
            using var stored = StateFile.Read(file, file.Header.Find(name)!, average.dtype, average.device);
            average.copy_(stored);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var (_, average) in _byName.Values) average.Dispose();
    }

    private static ScalarType Wide(ScalarType type) => type is ScalarType.Float16 or ScalarType.BFloat16 ? ScalarType.Float32 : type;

    private sealed class Swap(WeightAverage owner, List<(Parameter Parameter, Tensor Weight)> weights) : IDisposable
    {
        public void Dispose()
        {
            using var ungraded = no_grad();
            foreach (var (parameter, weight) in weights)
            {
                parameter.copy_(weight);
                weight.Dispose();
            }

            weights.Clear();
            owner._swapped = false;
        }
    }
}
