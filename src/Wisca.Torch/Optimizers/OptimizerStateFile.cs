using System.Text.Json;
using System.Text.Json.Serialization;
using Wisca.Safetensors;
using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// The state of an optimizer as a file: tensors called <c>parameter/state</c>, and in the metadata the kind of optimizer and, as JSON, each
/// parameter's step count and the factors that were multiplied on while training.
/// </summary>
internal static class OptimizerStateFile
{
    private const string KindKey = "wisca.optimizer", ParametersKey = "wisca.parameters";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
    };

    public static void Save(string path, string kind, IReadOnlyList<OptimizedParameter> parameters)
    {
        var scalars = parameters.ToDictionary(
            parameter => parameter.Name,
            parameter => new Scalars(parameter.Steps, parameter.LearningRateFactor, parameter.DecayFactor, parameter.EpsilonFactor));
        var metadata = new Dictionary<string, string> { [KindKey] = kind, [ParametersKey] = JsonSerializer.Serialize(scalars, Json) };
        StateFile.Write(
            path,
            [.. parameters.SelectMany(parameter => parameter.All.Select(state => (TensorName(parameter, state.Name), state.Tensor)))],
            metadata);
    }

    /// <summary>Compares everything, then reads everything, then puts it in place: what fails leaves the optimizer as it was.</summary>
    public static void Load(
        string path,
        string kind,
        IReadOnlyList<OptimizedParameter> parameters,
        Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout,
        Func<OptimizedParameter, bool> isElsewhere)
    {
        using var file = SafetensorsFile.Open(path);
        var scalars = ReadScalars(path, kind, file.Header);
        List<string> differences =
        [
            .. scalars
                .Keys.Except(parameters.Select(parameter => parameter.Name))
                .Select(name => $"{name} is not a parameter of the model"),
        ];
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (var parameter in parameters)
        {
            if (!scalars.TryGetValue(parameter.Name, out var found))
            {
                differences.Add($"no state of {parameter.Name}");
                continue;
            }

            foreach (var state in States(parameter, found, layout(parameter), file.Header))
            {
                string name = TensorName(parameter, state.Name);
                expected.Add(name);
                if (StateFile.Difference(file, name, state.ShapeFor(parameter.Parameter), parameter.StateType) is { } difference)
                    differences.Add(difference);
            }
        }

        differences.AddRange(
            file.Header.Tensors.Where(tensor => !expected.Contains(tensor.Name))
                .Select(tensor => $"{tensor.Name} {tensor.ShapeText} is not expected"));
        StateFile.ThrowIfAny(differences, path, $"the state is not that of this {kind}");
        Replace(file, parameters, scalars, layout, isElsewhere);
    }

    private static string TensorName(OptimizedParameter parameter, string state) => $"{parameter.Name}/{state}";

    /// <summary>The states a parameter must have in the file: moments once it has made a step;
    /// a master then, or where one was kept.</summary>
    private static IEnumerable<StateLayout> States(
        OptimizedParameter parameter, Scalars scalars, IReadOnlyList<StateLayout> layout, SafetensorsHeader header)
    {
        var moments = scalars.Steps > 0 ? layout : [];
        bool master =
            parameter.NeedsMaster && (scalars.Steps > 0 || header.Find(TensorName(parameter, OptimizedParameter.MasterName)) is not null);
        return master ? moments.Append(new StateLayout(OptimizedParameter.MasterName, 1)) : moments;
    }

    private static void Replace(
        SafetensorsFile file,
        IReadOnlyList<OptimizedParameter> parameters,
        Dictionary<string, Scalars> scalars,
        Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout,
        Func<OptimizedParameter, bool> isElsewhere)
    {
        var read = new List<Tensor>();
        try
        {
            foreach (var parameter in parameters.Where(parameter => !isElsewhere(parameter)))
            {
                foreach (var state in States(parameter, scalars[parameter.Name], layout(parameter), file.Header))
                    read.Add(
                        StateFile.Read(
                            file, file.Header.Find(TensorName(parameter, state.Name))!, parameter.StateType, parameter.Parameter.device));
            }
        }
        catch
        {
            foreach (var tensor in read) tensor.Dispose();
            throw;
        }

        var next = new Queue<Tensor>(read);
        foreach (var parameter in parameters)
        {
            var found = scalars[parameter.Name];
            parameter.DropState();
            parameter.DropMaster();
            var states = isElsewhere(parameter) ? [] : States(parameter, found, layout(parameter), file.Header);
            var tensors = states.ToDictionary(state => state.Name, _ => next.Dequeue());
            if (tensors.Remove(OptimizedParameter.MasterName, out var master)) parameter.Master = master;
            if (tensors.Count > 0) parameter.PutState(layout(parameter), tensors);

            parameter.Steps = found.Steps;
            parameter.LearningRateFactor = found.LearningRateFactor;
            parameter.DecayFactor = found.DecayFactor;
            parameter.EpsilonFactor = found.EpsilonFactor;
        }
    }

    private static Dictionary<string, Scalars> ReadScalars(string path, string kind, SafetensorsHeader header)
    {
        const string hint = "load the state with the optimizer that saved it";
        if (!header.Metadata.TryGetValue(KindKey, out string? stored) || !header.Metadata.TryGetValue(ParametersKey, out string? json))
            throw new WiscaException($"{path}: the file holds no optimizer state", hint);
        if (stored != kind) throw new WiscaException($"{path}: the state is of {stored}, expected {kind}", hint);
        try
        {
            var scalars = JsonSerializer.Deserialize<Dictionary<string, Scalars>>(json, Json);
            if (scalars is not null && scalars.Values.All(IsSound)) return scalars;
        }
        catch (JsonException exception)
        {
            throw new WiscaException(
                $"{path}: {ParametersKey} in the metadata is not what {kind} writes", "the file is damaged; use another checkpoint",
                exception);
        }

        throw new WiscaException(
            $"{path}: {ParametersKey} in the metadata holds a negative step count or a factor that is not positive",
            "the file is damaged; use another checkpoint");
    }

    private static bool IsSound(Scalars? scalars) =>
        scalars is { Steps: >= 0 }
        && new[] { scalars.LearningRateFactor, scalars.DecayFactor, scalars.EpsilonFactor }.All(factor =>
            factor > 0 && double.IsFinite(factor));

    private sealed record Scalars(long Steps, double LearningRateFactor, double DecayFactor, double EpsilonFactor);
}
