using System.Collections.Immutable;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training;

/// <summary>A model of which everything trains. A checkpoint is a model folder.</summary>
/// <param name="model">The model.</param>
/// <param name="origin">The folder that its weights came from; null for a new model.</param>
internal sealed class WholeModel(Decoder model, string? origin) : Trainee(model)
{
    private WiscaScheduler? _scheduler;
    private IReadOnlyList<LedgerMove> _history = [];
    private IReadOnlyDictionary<string, byte[]> _files = new Dictionary<string, byte[]>();

    public override IReadOnlyList<(string Name, Parameter Parameter)> Trained { get; } =
    [.. model.named_parameters().Select(entry => (entry.name, entry.parameter))];

    public override void Begin(WiscaScheduler? scheduler, IReadOnlyList<IParameterState> states, bool rotationsContinue)
    {
        _scheduler = scheduler;
        if (origin is null) return;
        (_history, ImmutableArray<ImmutableArray<double>>? product) = TrainedMove.Continue(origin, scheduler?.Plan, rotationsContinue);
        _files = TrainedMove.ReadFiles(origin, _history);
        if (product is { } factors) scheduler!.Product = factors;
    }

    /// <summary>The average of a model is the same function as it is: only the trained one tells how it moved.</summary>
    public override void Save(string folder, Dtype dtype, TrainingData data)
    {
        Model.Save(folder, new SaveOptions { Dtype = dtype });
        data.CopyTokenizer(folder);
    }

    public override void SaveState(string folder, RotationScheduler? rotations, HeadBalancer? heads) =>
        TrainedMove.Write(
            folder, _scheduler?.Plan, _scheduler?.Product ?? [], _history,
            [
                .. rotations is { Rotations: > 0 }
                    ? rotations.Spaces.Select(space => (space, rotations.TotalOf(space), (double[,]?)null))
                    : [],
                .. heads is { Balancings: > 0 }
                    ? heads.Spaces.Select(space => (space, heads.TotalOf(space).Matrix, (double[,]?)heads.TotalOf(space).Dual))
                    : [],
            ],
            _files);
}
