using System.Text;
using System.Text.Json;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Library.Documents;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Library.Sessions;

/// <summary>A plan made from names and shapes.</summary>
internal sealed class PlanSession
{
    private readonly Dictionary<string, TensorInfo> _tensors;
    private readonly string _architecture;

    /// <param name="request">JSON, as wisca.h describes it.</param>
    /// <exception cref="RequestException">It is not.</exception>
    /// <exception cref="WiscaException">The tensors are not those of the model, or what is asked for is not exact.</exception>
    public PlanSession(string request)
    {
        var asked = LibraryJson.Read(request, LibraryJson.Default.PlanRequest, "request");
        if (asked.Transitions is null && asked.Rotations is null)
            throw new RequestException("request: neither transitions nor rotations are asked for");
        var config = ModelConfig.Parse(asked.Config.GetRawText());
        var table = asked.Architecture is { ValueKind: not JsonValueKind.Null } own
            ? ArchitectureTable.Parse(Encoding.UTF8.GetBytes(own.GetRawText()), "architecture")
            : null;
        _tensors = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        foreach (var tensor in asked.Tensors)
        {
            if (tensor is null) throw new RequestException("request.tensors: an entry is null");
            if (!Enum.TryParse<Dtype>(tensor.Dtype, out var dtype) || !Enum.IsDefined(dtype))
                throw new RequestException($"request.tensors: '{tensor.Name}' has dtype '{tensor.Dtype}', expected F32, BF16, ...");
            if (tensor.Shape.Any(length => length is < 0 or > int.MaxValue))
                throw new RequestException($"request.tensors: '{tensor.Name}' has a shape with a negative or too large dimension");
            if (!_tensors.TryAdd(tensor.Name, new TensorInfo(tensor.Name, dtype, [.. tensor.Shape], 0, 0)))
                throw new RequestException($"request.tensors: '{tensor.Name}' is there twice");
        }

        var layout = ModelLayout.Resolve(config, _tensors.Values, table);
        _architecture = layout.Table.Name;
        Transitions = asked.Transitions is { } transitions ? TransitionPlan.Create(layout, transitions.ToOptions()) : null;
        if (asked.Rotations is { } rotations)
        {
            var plan = RotationPlan.ForTraining(layout, config.ModelType);
            Require(plan, RotationKind.Stream, rotations.Stream);
            Require(plan, RotationKind.ValueOutput, rotations.Values);
            Rotations = plan with
            {
                Spaces =
                [
                    .. plan.Spaces.Where(space =>
                        (space.Kind == RotationKind.Stream && rotations.Stream)
                        || (space.Kind == RotationKind.ValueOutput && rotations.Values)),
                ],
            };
        }
    }

    /// <summary>The scaling transitions; null for none.</summary>
    public TransitionPlan? Transitions { get; }

    /// <summary>The rotations; null for none.</summary>
    public RotationPlan? Rotations { get; }

    public PlanDescription Describe() => PlanDescription.Of(_architecture, Transitions, Rotations);

    /// <summary>The type of a tensor's elements.</summary>
    public Dtype DtypeOf(string tensor) => _tensors[tensor].Dtype;

    /// <summary>The length of a tensor's axis; a stack of matrices counts as one below the other.</summary>
    public int LengthOf(string tensor, int axis)
    {
        var shape = _tensors[tensor].Shape;
        return (int)(shape.Length == 1 || axis == 1 ? shape[^1] : shape.SkipLast(1).Aggregate(1L, (rows, length) => rows * length));
    }

    /// <summary>True for a bias or a gain.</summary>
    public bool IsVector(string tensor) => _tensors[tensor].Shape.Length == 1;

    private static void Require(RotationPlan plan, RotationKind kind, bool asked)
    {
        if (!asked || plan.Spaces.Any(space => space.Kind == kind)) return;
        string? reason = plan.Refusals.FirstOrDefault(refusal => refusal.Kind == kind)?.Reason;
        throw new WiscaException(
            $"rotate {kind.Name()}: not exact in this model{(reason is null ? "" : $": {reason}")}", "leave it out of rotations");
    }
}
