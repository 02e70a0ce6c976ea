using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using TorchSharp;
using Wisca.Communication;
using Wisca.Files;
using Wisca.Safetensors;
using Wisca.Torch;
using Wisca.Torch.Generation;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Ranks;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Training;

/// <summary>
/// Trains a decoder: gradients of one or more batches, weighted by their real tokens, make a step; transitions, evaluations and checkpoints
/// come between steps. A run that is resumed goes on bit for bit as if it had not stopped, on one machine with one number of threads.
/// </summary>
public sealed class Trainer : IDisposable
{
    // Steps over which the running average of the loss forgets, and before which it is not compared with.
    private const int AverageSteps = 50;

    private readonly RunConfig _config;
    private readonly RunFolder _folder;
    private readonly ITrainingObserver _observer;
    private readonly ICommunicator _ranks;
    private readonly SharedGradients? _shared;
    private readonly RunLog _log;
    private readonly TrainingTask _task;
    private readonly Optimizer _optimizer;
    private readonly LearningRateSchedule _schedule;
    private readonly WeightAverage? _average;
    private readonly WiscaScheduler? _scheduler, _gauge;
    private readonly RotationScheduler? _rotations;
    private readonly HeadBalancer? _heads;
    private readonly TrainingBatch? _probe;
    private readonly ReportWindow _window = new();

    private long _step, _position, _tokens, _bestStep;
    private double _seconds, _averageLoss = double.NaN, _bestLoss = double.PositiveInfinity;
    private (double Waited, double Seconds) _reported;
    private string? _checkpoint;
    private long _checkpointStep;

    private Trainer(
        RunConfig config, RunFolder folder, ResumeMode resume, ITrainingObserver observer, ICommunicator ranks,
        Func<string?, TrainingTask> prepare)
    {
        (_config, _folder, _observer, _ranks) = (config, folder, observer, ranks);
        TorchRuntime.Threads = config.Threads == 0 ? Math.Max(1, Environment.ProcessorCount / ranks.LocalSize) : config.Threads;
        _checkpoint = ranks.OfFirst(resume.Checkpoint ?? (resume.Allowed ? folder.LatestCheckpoint : null));
        var state = _checkpoint is null ? null : TrainingState.Load(_checkpoint);
        try
        {
            _task = prepare(_checkpoint);
            if (Model.ComputeType == ScalarType.BFloat16 && Model.Device.type == DeviceType.CPU)
                _observer.Notice(TorchRuntime.BFloat16Description);
            _optimizer = OptimizerFactory.Create(config.EffectiveOptimizer, Trainee.Trained);
            if (ranks.Size > 1)
            {
                if (config.BatchSize < ranks.Size)
                    throw new WiscaException(
                        $"batch_size is {config.BatchSize}, but there are {ranks.Size} ranks: each has a share of every batch",
                        "raise batch_size and lower accumulation, or start fewer ranks");
                _shared = new SharedGradients(
                    ranks,
                    new GradientBuckets(
                        ranks, Trainee.Trained, (long)(config.Distributed.BucketMegabytes * (1 << 20))));
                if (config.Distributed.ShardOptimizer) _optimizer.Shard(ranks);
            }

            _schedule = OptimizerFactory.Schedule(config, _task.Steps);
            if (config.Ema is { } decay) _average = new WeightAverage(Trainee.Trained, decay);
            (_scheduler, _gauge) = CreateSchedulers();
            _rotations = CreateRotations();
            _heads = CreateHeadBalancer();
            Trainee.Begin(_scheduler, States, rotationsContinue: _rotations is { Rotations: > 0 } || _heads is { Balancings: > 0 });
            if (config.Wisca.Verify && (_scheduler is not null || _rotations is not null || _heads is not null))
                _probe = _task.Data.Batches.Read(0, config.BatchSize);
            if (state is not null) Restore(state, _checkpoint!);
            if (IsFirst)
            {
                if (_checkpoint is null) folder.BeginAnew();
                AtomicFile.Write(folder.ConfigPath, config.ToYaml(commented: false));
            }

            _log = new RunLog(
                folder, IsFirst ? config.Logging : config.Logging with { Jsonl = false, Tensorboard = false }, state?.Step ?? -1);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The model that is trained.</summary>
    public Decoder Model => Trainee.Model;

    /// <summary>Number of steps that are done.</summary>
    public long CompletedSteps => _step;

    /// <summary>Number of tokens that were trained on.</summary>
    public long TokensSeen => _tokens;

    /// <summary>Time spent on steps, over all parts of a resumed run.</summary>
    public TimeSpan TrainingTime => TimeSpan.FromSeconds(_seconds);

    /// <summary>Time of processors that this process has spent on evaluations, samples and checkpoints between steps.</summary>
    public TimeSpan ProcessorTimeApart { get; private set; }

    /// <summary>Why the run ended before its last step, where the loss or the weights
    /// are not finite or the loss exploded; null otherwise.</summary>
    public string? Divergence { get; private set; }

    /// <summary>Which transitions apply, and which are refused and why; null where there are none.</summary>
    public TransitionPlan? Plan => _scheduler?.Plan;

    /// <summary>Prepares a run: its folder, tokenizer, text, model, optimizer, and where it goes on.</summary>
    /// <param name="config">The run.</param>
    /// <param name="resume">Where it begins.</param>
    /// <param name="observer">Told what happens.</param>
    /// <param name="cancellation">Stops the preparation.</param>
    /// <exception cref="WiscaException">Something that the configuration names is missing, broken or does not fit.</exception>
    public static Trainer Prepare(
        TrainingConfig config, ResumeMode resume, ITrainingObserver observer, CancellationToken cancellation = default) =>
        Join(config, resume, observer, SingleProcess.Instance, cancellation);

    /// <summary>Prepares a run that several processes train together. Rank 0 writes everything.</summary>
    /// <param name="config">The run, the same on every rank.</param>
    /// <param name="resume">Where it begins.</param>
    /// <param name="observer">Told what happens, on rank 0.</param>
    /// <param name="ranks">The processes.</param>
    /// <param name="cancellation">Stops the preparation.</param>
    /// <exception cref="WiscaException">Something that the configuration names is missing, broken or does not fit.</exception>
    public static Trainer Join(
        TrainingConfig config, ResumeMode resume, ITrainingObserver observer, ICommunicator ranks, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(resume);
        ArgumentNullException.ThrowIfNull(observer);
        ArgumentNullException.ThrowIfNull(ranks);
        return Prepare(config, resume, observer, ranks, (folder, checkpoint) => TrainingTask.Of(
            ranks.FirstThenOthers(() => TrainingText.Prepare(config, folder, checkpoint, observer, cancellation)),
            text => new WholeModel(TrainingModel.Prepare(config, checkpoint, text.Tokenizer, ranks), checkpoint ?? config.Model.From),
            config.Steps));
    }

    /// <summary>Prepares a run of any task.</summary>
    /// <param name="config">The run.</param>
    /// <param name="resume">Where it begins.</param>
    /// <param name="observer">Told what happens.</param>
    /// <param name="ranks">The processes that train it.</param>
    /// <param name="prepare">Makes the task, given the run's folder and the checkpoint that it goes on from, if any.</param>
    /// <exception cref="WiscaException">Something that the configuration names is missing, broken or does not fit.</exception>
    internal static Trainer Prepare(
        RunConfig config, ResumeMode resume, ITrainingObserver observer, ICommunicator ranks,
        Func<RunFolder, string?, TrainingTask> prepare)
    {
        if (ranks.Size > 1) ranks.Timeout = TimeSpan.FromSeconds(config.Distributed.Timeout);

        // Before anything is written, and before a text is read for hours.
        ComputeDevice.Find(config.Device, ranks);
        var folder = ranks.FirstThenOthers(() => ranks.Rank == 0 ? RunFolder.Open(config.Output) : RunFolder.Join(config.Output));
        try
        {
            return new Trainer(config, folder, resume, observer, ranks, checkpoint => prepare(folder, checkpoint));
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Trains to the last step, or until it is stopped: then the step is finished and a checkpoint saved.</summary>
    /// <param name="stop">Stops it.</param>
    /// <exception cref="WiscaException">The loss is not finite or explodes,
    /// a transition changes the function, a checkpoint cannot be written, or the text cannot be read any more: then what is done is saved.
    /// </exception>
    public TrainingResult Run(CancellationToken stop = default)
    {
        try
        {
            return Continue(stop);
        }
        catch (UnreadableTextException exception)
        {
            // What was done is good; only the text that comes next, or that is measured on, cannot be read any more.
            // Of several ranks the others may not know.
            bool saves = _ranks.Size == 1 && _step > 0;
            if (saves && _checkpointStep != _step) Save(null);
            string kept = saves ? $"; the {_step} steps that are done are in {_checkpoint}" : "";
            throw new WiscaException(exception.Fault.Message + kept, exception.Fault.Hint, exception.Fault);
        }
    }

    private TrainingResult Continue(CancellationToken stop)
    {
        var began = Stopwatch.StartNew();
        EvaluationReport? evaluation = null;
        if (_checkpoint is null)
        {
            if (IsFirst) _log.Began(Trainee.Trained.Sum(entry => entry.Parameter.numel()), WeightDigest(), Trainee.BaseDigest);
            if (Trainee.Opening is { } opening) Told(opening);
            if (_config.Evaluation.AtStart && !_ranks.Any(stop.IsCancellationRequested)) Evaluate();
            Transition();
        }

        bool saved = _checkpoint is not null;
        while (_step < _task.Steps && !_ranks.Any(IsStopped()))
        {
            Step();
            saved = false;
            if (_step % _config.Logging.Every == 0 || _step == _task.Steps) Report();
            Transition();
            bool last = _step == _task.Steps;
            var before = Environment.CpuUsage.TotalTime;
            if (last || (_config.Evaluation.Every > 0 && _step % _config.Evaluation.Every == 0)) evaluation = Evaluate();
            if (IsFirst && _config.Evaluation.Samples is { Every: > 0 } samples && _step % samples.Every == 0) Sample(samples);
            if (last || (_config.Checkpoints.Every > 0 && _step % _config.Checkpoints.Every == 0))
            {
                Save(evaluation?.Step == _step ? evaluation.Loss : null);
                saved = true;
            }

            ProcessorTimeApart += Environment.CpuUsage.TotalTime - before;
        }

        if (!saved) Save(evaluation?.Step == _step ? evaluation.Loss : null);
        // A run that was complete before: what it comes to stands in the metrics already.
        if (_step == _task.Steps && evaluation?.Step != _step) evaluation = Evaluate(log: false);
        return new TrainingResult(_step, _step < _task.Steps, _checkpoint!, evaluation, _tokens, TimeSpan.FromSeconds(_seconds));

        bool IsStopped() => stop.IsCancellationRequested || began.Elapsed.TotalMinutes >= _config.Ending.Minutes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _log?.Dispose();
        _heads?.Dispose();
        _rotations?.Dispose();
        _average?.Dispose();
        _optimizer?.Dispose();
        _shared?.Dispose();
        _task?.Dispose();
        _folder.Dispose();
    }

    private Trainee Trainee => _task.Trainee;

    private bool IsFirst => _ranks.Rank == 0;

    private IReadOnlyList<IParameterState> States => _average is null ? [_optimizer] : [_optimizer, _average];

    /// <summary>What changed since the run that a checkpoint belongs to was last begun, as far as its folder tells.</summary>
    private string ChangedSettings(string checkpoint)
    {
        string before = Path.Combine(Path.GetFullPath(checkpoint), "..", "..", Path.GetFileName(_folder.ConfigPath));
        if (!File.Exists(before)) return "";
        try
        {
            var changes = _config.ChangesSince(before);
            return changes.Count == 0
                ? ""
                : $" ({string.Join("; ", changes.Select(change => $"{change.Key}: {change.Before} became {change.After}"))})";
        }
        catch (WiscaException)
        {
            return "";
        }
    }

    /// <summary>The transitions of the run, and, for the record of imbalances in runs without,
    /// all that would be exact per tensor.</summary>
    private (WiscaScheduler? Active, WiscaScheduler? Gauge) CreateSchedulers()
    {
        var section = _config.Wisca;
        var layers = Trainee.Model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        WiscaScheduler? active = null;
        if (section.IsActive)
        {
            active = Create(Trainee.Remaining(section.Options));
            foreach (var refusal in active.Plan.Refusals)
            {
                string where = refusal.Layers.IsEmpty ? ""
                    : $" in {refusal.Layers.Length} of {Trainee.Model.Config.Layers.Length} layers";
                _observer.Notice($"{refusal.Kind.Name()} is left out{where}: {refusal.Reason}");
            }
        }

        if (!Trainee.RecordsNorms) return (active, null);
        try
        {
            return (active, Create(new WiscaOptions { Trigger = new WiscaTrigger { AtStart = false, Every = 0 } }));
        }
        catch (WiscaException)
        {
            // A model without any exchange has nothing to record.
            return (active, null);
        }

        WiscaScheduler Create(WiscaOptions options) =>
            new(
                Trainee.Movable, WiscaScheduler.PlanFor(layers, Trainee.Model.Config.Source!, options.Transitions), options,
                [.. States, .. Trainee.Followers]);
    }

    private RotationScheduler? CreateRotations()
    {
        if (!_config.Wisca.Rotate.IsActive) return null;
        var rotations = new RotationScheduler(
            Trainee.Movable, Trainee.RotationPlan(), _config.Wisca.Rotate.Options(_config.Seed),
            [.. States, .. Trainee.Followers]);
        rotations.CheckGains();
        foreach (string gain in rotations.FrozenGains)
            _observer.Notice(
                $"{gain} is not trained: the output projection is tied to the embedding, so it must stay the same for all channels");
        if (_checkpoint is not null && Path.Combine(_checkpoint, RunLayout.Rotations) is var saved && File.Exists(saved))
            rotations.Load(saved);
        return rotations;
    }

    private HeadBalancer? CreateHeadBalancer()
    {
        if (!_config.Wisca.Balance.IsActive) return null;
        var heads = new HeadBalancer(
            Trainee.Movable, RotationScheduler.PlanFor(Trainee.Model), _config.Wisca.Balance.Options, [.. States, .. Trainee.Followers]);
        if (_checkpoint is not null && Path.Combine(_checkpoint, RunLayout.Heads) is var saved && File.Exists(saved)) heads.Load(saved);
        return heads;
    }

    /// <summary>One optimizer step.</summary>
    private void Step()
    {
        long began = Stopwatch.GetTimestamp();
        TrainingBatch[] batches =
        [
            .. Enumerable
                .Range(0, _config.Accumulation)
                .Select(index => ReadText(() =>
                    _task.Data.Batches.Read(_position + ((long)index * _config.BatchSize), _config.BatchSize))),
        ];
        _optimizer.ZeroGradients();
        long passed = Stopwatch.GetTimestamp();
        var (loss, auxiliary) = Trainee.AddGradients(_step, batches, _shared);
        double passSeconds = Stopwatch.GetElapsedTime(passed).TotalSeconds;
        CheckLoss(loss);
        _rotations?.Observe(_step);
        double rate = _schedule.At(_step),
            norm = _config.Optimizer.LargestNorm is { } clip
                ? _optimizer.ClipGradients(clip, _config.Optimizer.ClipNorm)
                : _optimizer.GradientNorm();
        if (!double.IsFinite(norm))
        {
            // Gradients that are all finite may have a norm that is not.
            var names = _optimizer.NonFiniteGradients();
            throw Diverged(
                _step + 1,
                names.Count > 0
                    ? $"the gradients of {string.Join(", ", names.Take(3))} hold NaN or infinity"
                    : $"the gradients are so large that their norm is {norm.ToString(CultureInfo.InvariantCulture)}");
        }

        _optimizer.Step(rate);
        _average?.Update();
        _averageLoss = double.IsNaN(_averageLoss) ? loss : _averageLoss + ((loss - _averageLoss) / AverageSteps);
        _step++;
        _position += (long)_config.BatchSize * _config.Accumulation;
        long seen = batches.Sum(batch => (long)batch.Ids.Length);
        _tokens += seen;
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        _seconds += seconds;
        _window.Add(loss, auxiliary, rate, norm, seen, seconds, passSeconds);
    }

    /// <summary>Calls what reads text, which another program may damage while the run goes on.</summary>
    private static T ReadText<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (WiscaException exception)
        {
            throw new UnreadableTextException(exception);
        }
    }

    private void CheckLoss(double loss)
    {
        if (!double.IsFinite(loss)) throw Diverged(_step + 1, $"the loss is {loss.ToString(CultureInfo.InvariantCulture)}");
        if (_config.Ending.LossExplosion is { } factor && _step >= AverageSteps && loss > factor * _averageLoss)
            throw Diverged(
                _step + 1,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the loss is {loss:0.###}, more than {factor} times its running average of {_averageLoss:0.###}"));
    }

    private WiscaException Diverged(long step, string what)
    {
        Divergence = $"step {step}: {what}";
        // A checkpoint of the weights as they are now is none to go on from.
        string? good = _checkpoint is not null && _checkpointStep < _step ? _checkpoint : _folder.CheckpointBefore(_step);
        string left = good is null ? "there is no good checkpoint" : $"the last good checkpoint is {good}";
        string way = good is null ? "begin anew with --resume never" : $"resume with --resume {good}";
        return new WiscaException(
            $"step {step}: {what}; {left}",
            $"lower optimizer.learning_rate, lengthen schedule.warmup, or clip gradients (optimizer.clip); then {way}");
    }

    /// <summary>Calls what measures the weights, which cannot measure those of a run that has diverged.</summary>
    private T Measured<T>(Func<T> measure)
    {
        try
        {
            return measure();
        }
        catch (WiscaException) when (NonFiniteParameters() is [_, ..] names)
        {
            throw Diverged(_step, $"the weights of {string.Join(", ", names.Take(3))} hold NaN or infinity");
        }
    }

    private List<string> NonFiniteParameters()
    {
        using var scope = NewDisposeScope();
        return [.. Trainee.Trained.Where(entry => !entry.Parameter.isfinite().all().AsBoolean()).Select(entry => entry.Name)];
    }

    /// <summary>A digest of all weights, equal for runs that begin with the same.</summary>
    private string WeightDigest()
    {
        using var scope = NewDisposeScope();
        var digest = new XxHash128();
        foreach (var (name, parameter) in Trainee.Trained)
        {
            digest.Append(System.Text.Encoding.UTF8.GetBytes(name));
            digest.Append(parameter.detach().cpu().contiguous().bytes);
        }

        return Convert.ToHexStringLower(digest.GetCurrentHash());
    }

    private void Transition()
    {
        // What goes by moments needs those of all parameters, wherever they are kept.
        bool reads = _config.Wisca.IsActive && _config.Wisca.Criterion == Criterion.Fisher
            || _config.Wisca.Rotate is { Stream: RotationSource.Momentum } or { Adapters: RotationSource.Momentum };
        using var all = reads ? _optimizer.Gather() : null;
        if (_scheduler is not null && Measured(() => _scheduler.Step(_step, _probe is null ? null : Probe)) is { } done)
        {
            Trainee.Moved(done);
            Told(done);
        }

        if (_rotations is not null
            && Measured(() => _rotations.Step(_step, _config.Wisca.Verify ? Probe : null)) is { } rotation)
        {
            _log.Rotated(rotation);
            _observer.Rotated(rotation);
        }

        if (_heads is not null && Measured(() => _heads.Step(_step, _probe is null ? null : Probe)) is { } even)
        {
            _log.HeadsBalanced(even);
            _observer.HeadsBalanced(even);
        }

        if (Measured(() => Trainee.Balance(_step)) is not { } balanced) return;
        _log.Balanced(balanced);
        _observer.Balanced(balanced);
    }

    private void Told(TransitionEvent transition)
    {
        _log.Transitioned(transition);
        _observer.Transitioned(transition);
    }

    /// <summary>The loss of a batch that stays the same, in float32 whatever is trained in: it is the weights that are compared.</summary>
    private double Probe()
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var type = Trainee.Model.ComputeType;
        Trainee.Model.ComputeType = null;
        try
        {
            return BatchGradients.Loss(Trainee.Model, _probe!).Mean;
        }
        finally
        {
            Trainee.Model.ComputeType = type;
        }
    }

    private void Report()
    {
        var report = _window.Take(_step, _task.Steps) with
        {
            TokensSeen = _tokens,
            WaitingShare = WaitingShare(),
            Imbalances = _gauge is null ? [] : Measured(_gauge.Imbalances),
        };
        _log.Trained(report);
        _observer.Trained(report);
    }

    private double? WaitingShare()
    {
        if (_shared is null) return null;
        double waited = _shared.Buckets.Seconds, share = (waited - _reported.Waited) / Math.Max(1e-9, _seconds - _reported.Seconds);
        _reported = (waited, _seconds);
        return share;
    }

    private EvaluationReport Evaluate(bool log = true)
    {
        var watch = Stopwatch.StartNew();
        double loss = ReadText(() => _task.Data.HeldOut.Evaluate(Trainee.Model, _ranks, CancellationToken.None));
        if (!double.IsFinite(loss)) throw Diverged(_step, $"the held-out loss is {loss.ToString(CultureInfo.InvariantCulture)}");
        double? average = null;
        double? test = _task.Data.Test is { } text ? ReadText(() => text.Evaluate(Trainee.Model, _ranks, CancellationToken.None)) : null;
        if (_average is not null)
        {
            using var swapped = _average.SwapIn();
            average = ReadText(() => _task.Data.HeldOut.Evaluate(Trainee.Model, _ranks, CancellationToken.None));
        }

        var report = new EvaluationReport(_step, loss, _task.Data.HeldOut.Tokens, watch.Elapsed) { AverageLoss = average, TestLoss = test };
        if (loss < _bestLoss) (_bestLoss, _bestStep) = (loss, _step);
        if (log) _log.Evaluated(report);
        _observer.Evaluated(report);
        return report;
    }

    private void Sample(SamplesSection section)
    {
        // As many as fit behind the prompt; a seed of its own for each step, so that a resumed run writes the same.
        foreach (string prompt in section.Prompts)
        {
            int[] ids = _task.Data.Tokenizer.Encode(prompt);
            int count = Math.Min(section.Tokens, Trainee.Model.Config.MaxPositions - ids.Length);
            if (ids.Length == 0 || count < 1) continue;
            var options = new SamplingOptions { Temperature = section.Temperature, Seed = (ulong)(_config.Seed + _step) };
            IReadOnlySet<int>? stops = _task.Data.Tokenizer.EosId is { } eos ? new HashSet<int> { eos } : null;
            string text = _task.Data.Tokenizer.Decode([.. ids, .. TokenGenerator.Generate(Trainee.Model, ids, count, options, stops)]);
            string continuation = text.StartsWith(prompt, StringComparison.Ordinal) ? text[prompt.Length..] : text;
            _log.Sampled(_step, prompt, continuation);
            _observer.Sampled(_step, prompt, continuation);
        }
    }

    private void Save(double? loss)
    {
        CheckRanksAgree();
        if (!IsFirst)
        {
            _optimizer.SendState();
            (_checkpoint, _checkpointStep) = (RunFolder.CheckpointPath(_folder.FullPath, _step), _step);
            return;
        }

        _checkpoint = _folder.Save(_step, loss, _config.Checkpoints, staging =>
        {
            var dtype = _config.Checkpoints.Dtype == WeightDtype.Bf16 ? Dtype.BF16 : Dtype.F32;
            Trainee.Save(staging, dtype, _task.Data);
            Directory.CreateDirectory(Path.Combine(staging, RunLayout.Training));
            Trainee.SaveState(staging, _rotations, _heads);
            _optimizer.Save(Path.Combine(staging, RunLayout.Optimizer));
            _rotations?.Save(Path.Combine(staging, RunLayout.Rotations));
            _heads?.Save(Path.Combine(staging, RunLayout.Heads));
            if (_average is not null)
            {
                _average.Save(Path.Combine(staging, RunLayout.AverageState));
                using var swapped = _average.SwapIn();
                Trainee.Save(Path.Combine(staging, RunLayout.Average), dtype, _task.Data);
            }

            // A run that goes on from here does not write again what led here.
            _log.Flush();
            State().Save(staging);
        });
        _checkpointStep = _step;
        _observer.Saved(_step, _checkpoint);
    }

    /// <summary>Ranks on processors of different kinds may round differently, and would then train different models.</summary>
    private void CheckRanksAgree()
    {
        if (_ranks.Size == 1) return;
        byte[] own = Convert.FromHexString(WeightDigest()), all = new byte[own.Length * _ranks.Size];
        _ranks.Gather(own, all);
        var digests = all.Chunk(own.Length).ToList();
        int other = digests.FindIndex(digest => !digest.AsSpan().SequenceEqual(digests[0]));
        if (other > 0)
            throw new WiscaException(
                $"after step {_step} the weights of rank {other} are not those of rank 0",
                "start all ranks on processors of one kind, with the same program and the same number of threads");
    }

    private TrainingState State()
    {
        return new TrainingState(
            TrainingState.CurrentVersion,
            _step,
            _position,
            _tokens,
            _seconds,
            double.IsNaN(_averageLoss) ? null : _averageLoss,
            double.IsFinite(_bestLoss) ? _bestLoss : null,
            double.IsFinite(_bestLoss) ? _bestStep : null,
            _log.Position,
            _config.ComputationHash,
            TorchRuntime.Threads,
            new SortedDictionary<string, string>
            {
                ["libtorch"] = TorchRuntime.LibtorchVersion,
                ["torchsharp"] = TorchRuntime.TorchSharpVersion,
            })
        {
            Pending = _window.Pending,
            Base = Trainee.BaseDigest,
            Ranks = _ranks.Size == 1 ? null : _ranks.Size,
        };
    }

    private void Restore(TrainingState state, string checkpoint)
    {
        if (state.Step > _task.Steps)
            throw new WiscaException(
                $"the checkpoint {checkpoint} has {state.Step} steps behind it, but steps is {_task.Steps}",
                "raise steps to go on from it, or begin anew with --resume never");
        if (state.ConfigHash != _config.ComputationHash)
            _observer.Notice(
                $"the configuration is not the one that the checkpoint was trained with{ChangedSettings(checkpoint)}: the run goes on "
                + "from it, but not as if it had never stopped");
        if (state.Threads != TorchRuntime.Threads)
            _observer.Notice(
                $"the checkpoint was trained with {state.Threads} threads, this run has {TorchRuntime.Threads}: "
                + "results differ in their last bits");
        if ((state.Ranks ?? 1) != _ranks.Size)
            _observer.Notice(
                $"the checkpoint was trained by {state.Ranks ?? 1} processes, this run has {_ranks.Size}: "
                + "results differ in their last bits");
        (_step, _checkpointStep, _position, _tokens, _seconds) = (
            state.Step, state.Step, state.SamplerPosition, state.TokensSeen, state.Seconds);
        _window.Pending = state.Pending;
        _reported = (0, _seconds);
        (_averageLoss, _bestLoss, _bestStep) = (
            state.AverageLoss ?? double.NaN, state.BestLoss ?? double.PositiveInfinity, state.BestStep ?? 0);
        _optimizer.Load(Path.Combine(checkpoint, RunLayout.Optimizer));
        string average = Path.Combine(checkpoint, RunLayout.AverageState);
        if (_average is not null && File.Exists(average)) _average.Load(average);
    }

    /// <summary>The text could not be read; the model is as good as it was.</summary>
    private sealed class UnreadableTextException(WiscaException fault) : Exception(fault.Message, fault)
    {
        public WiscaException Fault => fault;
    }
}
