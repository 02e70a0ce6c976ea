using System.Collections.Immutable;
using System.Text.Json;
using Wisca.Communication;
using Wisca.Files;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Transitions;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training.Finetuning;

/// <summary>
/// A frozen base with an adapter that trains. A checkpoint is the adapter's folder. The base is not in it: it is read again, and the
/// transitions that it went through are applied again, factor by factor, so that its bits are the same.
/// </summary>
internal sealed class AdaptedModel : Trainee
{
    private readonly FinetuneConfig _config;
    private readonly LoraModel _lora;
    private readonly bool _wholeBase;
    private readonly WiscaScheduler? _base;
    private readonly List<AppliedTransition> _applied = [];
    private readonly FrozenWeights? _rotated;
    private WiscaScheduler? _scheduler;
    private LoraBalancer? _balancer;

    /// <param name="model">The base as it lies on disk; it belongs to the caller where this fails.</param>
    /// <param name="config">The run.</param>
    /// <param name="checkpoint">The checkpoint that is resumed; null for a new run.</param>
    /// <param name="probe">The loss of a batch that stays the same, to verify the first transition; null to trust it.</param>
    /// <param name="digest">Digest of the base.</param>
    public AdaptedModel(Decoder model, FinetuneConfig config, string? checkpoint, Func<double>? probe, string digest)
        : base(model)
    {
        (_config, BaseDigest) = (config, digest);
        _wholeBase = Ledger.Load(config.Base.Model!) is null;
        List<AppliedTransition> applied = checkpoint is null ? [] : ReadApplied(checkpoint);
        if (config.Wisca.IsActive)
        {
            var options = config.Wisca.Options;
            var parameters = model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
            _base = new WiscaScheduler(
                parameters, WiscaScheduler.PlanFor(parameters, model.Config.Source!, options.Transitions), options);
            if (checkpoint is null && config.Wisca.Init) Moved((Opening = _base.Apply(0, probe))!);
        }

        // What was done before the adapter was attached comes before it again: PiSSA decomposes what it finds.
        foreach (var transition in applied.Where(transition => transition.Step == 0)) Apply(transition, checkpoint!);
        _lora = LoraModel.Attach(model, config.Adapter.Config(config.Base.Model), (ulong)config.Seed);
        try
        {
            foreach (var transition in applied.Where(transition => transition.Step > 0)) Apply(transition, checkpoint!);
            if (checkpoint is not null) _lora.LoadState(Path.Combine(checkpoint, RunLayout.AdapterState));

            // Rotations come last: they are told from here, whatever factors came between them.
            if (config.Wisca.Rotate.Stream is not null)
                _rotated = new FrozenWeights(model.named_parameters().Select(entry => (entry.name, entry.parameter)), RotationPlan());
        }
        catch
        {
            _lora.Dispose();
            throw;
        }
    }

    public override string BaseDigest { get; }

    /// <summary>How much is trained.</summary>
    public LoraSummary Summary => _lora.Summary;

    public override IReadOnlyList<(string Name, Parameter Parameter)> Trained =>
        [.. _lora.Parameters.Select(entry => (entry.name, entry.parameter))];

    public override IReadOnlyList<(string Name, Parameter Parameter)> Movable => _lora.AllParameters;

    public override IReadOnlyList<IParameterState> Followers => _rotated is null ? [_lora] : [_lora, _rotated];

    public override RotationPlan RotationPlan() => _config.Wisca.Rotate.PlanFor(_lora);

    public override bool RecordsNorms => false;

    public override TransitionEvent? Opening { get; }

    public override WiscaOptions Remaining(WiscaOptions options) => options with { Trigger = options.Trigger with { AtStart = false } };

    public override void Begin(WiscaScheduler? scheduler, IReadOnlyList<IParameterState> states, bool rotationsContinue)
    {
        _scheduler = scheduler;
        if (scheduler is not null) scheduler.Product = _base!.Product;
        var balance = _config.Adapter.Balance;
        if (balance.Every == 0) return;
        _balancer = new LoraBalancer(
            _lora,
            new LoraBalancerOptions
            {
                Granularity = balance.Granularity,
                Trigger = new WiscaTrigger
                {
                    AtStart = false,
                    Every = balance.Every,
                    Until = balance.Until,
                },
            },
            states);
    }

    public override (double Loss, double Auxiliary) AddGradients(
        long step, IReadOnlyList<TrainingBatch> batches, SharedGradients? shared)
    {
        _lora.Training = true;
        _lora.BeginStep(step);
        if (shared is not null) _lora.Rows = (shared.Communicator.ShareOf(_config.BatchSize).Begin, _config.BatchSize);
        try
        {
            return base.AddGradients(step, batches, shared);
        }
        finally
        {
            _lora.Training = false;
        }
    }

    public override void Moved(TransitionEvent transition) =>
        _applied.Add(
            new AppliedTransition(
                transition.Step,
                [.. transition.Solution.Balances.Select(groups => (IReadOnlyList<double>)[.. groups.Select(group => group.Factor)])]));

    public override LoraBalanceEvent? Balance(long step) => _balancer?.Step(step);

    public override void Save(string folder, Dtype dtype, TrainingData data) =>
        _lora.Save(
            folder,
            new LoraSaveOptions
            {
                Gauge = _config.Save.For,
                Transitions = _scheduler?.Total(),
                Rotated = _rotated,
                LoadedBaseIsOriginal = _wholeBase,
                Dtype = dtype,
            });

    public override void SaveState(string folder, RotationScheduler? rotations, HeadBalancer? heads)
    {
        _lora.SaveState(Path.Combine(folder, RunLayout.AdapterState));
        File.WriteAllBytes(
            Path.Combine(folder, RunLayout.Transitions),
            [.. JsonSerializer.SerializeToUtf8Bytes(_applied, TrainingJson.Default.ListAppliedTransition), (byte)'\n']);
    }

    public override void Dispose()
    {
        _rotated?.Dispose();
        _lora.Dispose();
        base.Dispose();
    }

    private void Apply(AppliedTransition transition, string checkpoint)
    {
        var exchanges = _base?.Plan.Exchanges ?? [];
        if (
            transition.Factors.Count != exchanges.Length
            || transition.Factors.Where((factors, index) => factors.Count != exchanges[index].Groups.Length).Any())
            throw new WiscaException(
                $"the base of {checkpoint} went through transitions of other settings than wisca has now",
                "resume with the settings of wisca that it was trained with");
        Moved(
            _base!.Apply(
                transition.Step,
                () =>
                    new TransitionSolution(
                        _base.Plan,
                        [
                            .. transition.Factors.Select(
                                (factors, index) =>
                                    (ImmutableArray<GroupBalance>)
                                        [
                                            .. factors.Select(
                                                (factor, group) =>
                                                    new GroupBalance(
                                                        exchanges[index].Groups[group], 1, 1, factor, GroupOutcome.Scaled, null)),
                                        ]),
                        ])));
    }

    private static List<AppliedTransition> ReadApplied(string checkpoint)
    {
        string path = Path.Combine(checkpoint, RunLayout.Transitions);
        const string hint = "the checkpoint cannot be resumed; the adapter in it can still be merged";
        try
        {
            PlainFile.Check(path);
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), TrainingJson.Default.ListAppliedTransition)
                ?? throw new WiscaException($"{path} is null, expected a list", hint);
        }
        catch (JsonException exception)
        {
            throw new WiscaException($"{path}: {exception.Message.Split(['\n', '\r'])[0]}", hint, exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", hint, exception);
        }
    }
}
