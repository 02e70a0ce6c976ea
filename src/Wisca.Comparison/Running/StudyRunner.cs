using System.Diagnostics;
using System.Globalization;
using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Training;

namespace Wisca.Comparison.Running;

/// <summary>
/// Makes the runs of a study that have no result yet, several at a time, each in a process of its own. It may be killed at any time:
/// finished runs stand in the folder, and others go on from their last checkpoint when it is started again. Others may do so in the same
/// folder at the same time: each run is claimed before it is made.
/// </summary>
public sealed class StudyRunner
{
    // As many runs in a row that fail for one reason, before any succeeded, and the rest is not tried.
    private const int HopelessFailures = 3;

    // Less than what System.CommandLine leaves between Ctrl-C and the end.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(25);

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1), SignOfLife = TimeSpan.FromSeconds(10);

    private readonly Study _study;
    private readonly StudyFolder _folder;
    private readonly RunnerOptions _options;
    private readonly IStudyObserver _observer;
    private readonly IReadOnlyDictionary<(string Regime, string Model, string Arm), TrainingCheck> _checks;
    private readonly Dictionary<string, RunResult> _results;
    private readonly Dictionary<string, RunFailure> _failures = new(StringComparer.Ordinal);
    private readonly List<WorkerProcess> _running = [];
    private readonly RunClaims _claims;
    private long _beaten = Stopwatch.GetTimestamp();
    private bool _waits;

    // Tokens per second of whole runs, start and evaluations included, of those that were made from the beginning.
    private readonly List<(string Model, double Rate)> _rates = [];
    private int _finished;

    /// <param name="study">The study.</param>
    /// <param name="folder">Its folder, joined.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="observer">Told how it goes on.</param>
    /// <exception cref="WiscaException">A run would not begin, or a result cannot be read.</exception>
    public StudyRunner(Study study, StudyFolder folder, RunnerOptions options, IStudyObserver observer)
    {
        ArgumentNullException.ThrowIfNull(study);
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(observer);
        (_study, _folder, _options, _observer) = (study, folder, options, observer);
        _claims = folder.Claims ?? throw new ArgumentException("the folder is not joined", nameof(folder));
        _checks = study.CheckRuns();
        _results = study.ResultsIn(folder).ById;
        ClearAway();
    }

    private int Workers => _options.Workers > 0 ? _options.Workers
        : _study.Config.Workers > 0 ? _study.Config.Workers
        : Math.Max(1, Environment.ProcessorCount / _study.Config.Threads);

    /// <summary>Makes the runs.</summary>
    /// <param name="stop">Stops them, each with a checkpoint.</param>
    /// <exception cref="WiscaException">A worker could not be started, or wrote what cannot be read.</exception>
    public StudyOutcome Run(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                while (!stop.IsCancellationRequested && _running.Count < Workers && !IsHopeless() && Next() is { } run) Start(run);
                if (_running.Count == 0 && (stop.IsCancellationRequested || IsHopeless() || !WaitsForOthers())) break;
                WaitForOne(stop);
                Beat();
                if (stop.IsCancellationRequested) StopAll();
                foreach (var worker in _running.Where(worker => worker.Completion.IsCompleted).ToList()) Collect(worker, stop);
                Tell();
            }
        }
        finally
        {
            foreach (var worker in _running)
            {
                worker.Dispose();
                _claims.Release(worker.Run.Id);
            }
        }

        if (!stop.IsCancellationRequested)
        {
            string why = _options.Shard.Parts > 1 ? "merge the parts of all machines and run again" : "its runs are missing or diverged";
            if (IsHopeless()) _observer.Notice($"the first {_failures.Count} runs failed, and the rest was not tried");
            else
                foreach (string waiting in _study.Plan(_results).Waiting) _observer.Notice($"{waiting}: {why}");
        }

        ClearAway();
        return new StudyOutcome(stop.IsCancellationRequested && Left().Any(), [.. _failures.Values]);
    }

    /// <summary>True for runs that belong to a part of the study. Parts go by all that pairs have in common.</summary>
    /// <param name="run">The run.</param>
    /// <param name="shard">The part, from 1, and of how many.</param>
    public static bool IsIn(PlannedRun run, (int Part, int Parts) shard)
    {
        ArgumentNullException.ThrowIfNull(run);
        string pair = string.Create(CultureInfo.InvariantCulture, $"{run.Regime}/{run.Model}/{run.LearningRate:R}/{run.Seed}");
        return System.IO.Hashing.XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(pair)) % (ulong)shard.Parts
            == (ulong)(shard.Part - 1);
    }

    private bool IsHopeless() =>
        _finished == 0 && _failures.Count >= HopelessFailures && _failures.Values.Select(failure => failure.Reason).Distinct().Count() == 1;

    private IReadOnlyList<PlannedRun> Mine() =>
        [.. _study.Plan(_results).Runs.Where(run => IsIn(run, _options.Shard)).DistinctBy(run => run.Id)];

    /// <summary>The runs that have no result, and that nobody here makes or has tried in vain.</summary>
    private IEnumerable<PlannedRun> Left() =>
        Mine()
            .Where(run =>
                !_results.ContainsKey(run.Id) && !_failures.ContainsKey(run.Id) && _running.All(worker => worker.Run.Id != run.Id));

    /// <summary>The next run, claimed; null where there is none that others do not make.</summary>
    private PlannedRun? Next()
    {
        foreach (var run in Left())
        {
            if (TakeOver(run) || !_claims.TryTake(run.Id)) continue;

            // It may have been finished between the two.
            if (!TakeOver(run)) return run;
            _claims.Release(run.Id);
        }

        return null;
    }

    /// <summary>True where a run is finished, whoever made it; its result is known then. One that is refused does not count.</summary>
    private bool TakeOver(PlannedRun run)
    {
        if (!_folder.HasResult(run.Id)) return false;
        try
        {
            // A result that is none, or of something else, is replaced.
            var result = _folder.ReadResult(run.Id);
            if (_study.Fault(run, result) is not null) return false;
            _results[run.Id] = result;
            return true;
        }
        catch (WiscaException)
        {
            return false;
        }
    }

    private bool WaitsForOthers()
    {
        if (Left().FirstOrDefault(run => !TakeOver(run)) is not { } run) return Left().Any();
        if (!_waits && _claims.HostOf(run.Id) is { } host)
            _observer.Notice($"waits for {run.Label}, which is made on {host}");
        _waits = true;
        return true;
    }

    /// <summary>Tells others that the runs are still made here, and gives up those that they have taken over.</summary>
    private void Beat()
    {
        if (Stopwatch.GetElapsedTime(_beaten) < SignOfLife) return;
        _beaten = Stopwatch.GetTimestamp();
        var lost = _claims.Beat();
        foreach (var worker in _running.Where(worker => lost.Contains(worker.Run.Id)).ToList())
        {
            // Somebody took it over and gave it up again.
            if (_claims.TryTake(worker.Run.Id)) continue;
            _observer.Notice($"{worker.Run.Label} has been taken over by another wisca compare: this one was away for too long");
            worker.Dispose();
            _running.Remove(worker);
        }
    }

    private TrainingCheck Check(PlannedRun run) => _checks[(run.Regime, run.Model, run.Arm)];

    private double Share(WorkerProcess worker) => (double)worker.Step / Check(worker.Run).Steps;

    /// <summary>Clears away what killed processes left of runs that are finished all the same.</summary>
    private void ClearAway()
    {
        foreach (string id in _results.Keys.Where(id => Directory.Exists(WorkOf(id)) || _claims.IsTaken(id)).ToList())
        {
            if (!_claims.TryTake(id)) continue;
            DeleteWork(id);
            _claims.Release(id);
        }
    }

    private string WorkOf(string id) => Path.Combine(_folder.WorkFolder, id);

    private void DeleteWork(string id)
    {
        if (Directory.Exists(WorkOf(id))) Directory.Delete(WorkOf(id), recursive: true);
    }

    private void Start(PlannedRun run)
    {
        string work = Path.Combine(_folder.WorkFolder, run.Id), request = Path.Combine(work, "request.json");
        var config = _study.Kind.Placed(run.Config, Path.Combine(work, "run"), _study.Config.Threads, _folder.TextFolder);
        bool begun = Directory.Exists(config.Output);
        StudyFolder.Write(
            request,
            new RunRequest(
                run.Id, run.Label, _folder.FullPath, _study.Config.Runs, config.ToYaml(commented: false), _study.Config.KeepModels));
        _running.Add(WorkerProcess.Start(_options.Program, request, run, _study.Config.Threads, fromTheBeginning: !begun));
        _observer.Started(run);
    }

    private void WaitForOne(CancellationToken stop)
    {
        try
        {
            if (_running.Count == 0) stop.WaitHandle.WaitOne(Heartbeat);
            else Task.WaitAny([.. _running.Select(worker => worker.Completion)], (int)Heartbeat.TotalMilliseconds, stop);
        }
        catch (OperationCanceledException)
        {
            // They are stopped next.
        }
    }

    private void StopAll()
    {
        foreach (var worker in _running) worker.Stop();
        Task.WaitAll([.. _running.Select(worker => worker.Completion)], Patience);
        foreach (var worker in _running.Where(worker => !worker.Completion.IsCompleted).ToList())
        {
            // It goes on from an earlier checkpoint.
            worker.Dispose();
            _running.Remove(worker);
            _claims.Release(worker.Run.Id);
        }
    }

    private void Collect(WorkerProcess worker, CancellationToken stop)
    {
        var run = worker.Run;
        _running.Remove(worker);
        if (TakeOver(run))
        {
            var result = _results[run.Id];
            _finished++;
            if (worker.FromTheBeginning) _rates.Add((run.Model, Check(run).Tokens / worker.Elapsed.TotalSeconds));
            DeleteWork(run.Id);
            _observer.Finished(run, result, worker.Elapsed);
        }
        else if (!(worker.Interrupted && stop.IsCancellationRequested))
        {
            var failure = _failures[run.Id] = new RunFailure(
                run.Id, run.Label, worker.Interrupted ? "the run was stopped before its last step (stop.minutes?)" : worker.Failure);
            _folder.WriteFailure(failure);
            _observer.Failed(failure);
        }

        worker.Dispose();
        _claims.Release(run.Id);
    }

    private void Tell()
    {
        var mine = Mine();
        int finished = mine.Count(run => _results.ContainsKey(run.Id));
        _observer.Progressed(
            new StudyProgress(finished, mine.Count, [.. _running.Select(worker => (worker.Run.Label, Share(worker)))], Remaining(mine)));
    }

    /// <summary>The tokens that are left, at what was measured of the same model, or of any.</summary>
    private TimeSpan? Remaining(IReadOnlyList<PlannedRun> mine)
    {
        var measured =
            _rates.Count > 0
                ? _rates
                :
                [
                    .. mine.Where(run => _results.ContainsKey(run.Id) && _results[run.Id].Seconds > 0)
                        .Select(run => (run.Model, Rate: _results[run.Id].TokensPerSecond())),
                    .. _running
                        .Where(worker => worker.TokensPerSecond > 0)
                        .Select(worker => (worker.Run.Model, Rate: worker.TokensPerSecond)),
                ];
        if (measured.Count == 0) return null;
        var rates = measured.GroupBy(entry => entry.Model).ToDictionary(group => group.Key, group => group.Average(entry => entry.Rate));
        double any = measured.Average(entry => entry.Rate), seconds = 0;
        foreach (var run in mine.Where(run => !_results.ContainsKey(run.Id) && !_failures.ContainsKey(run.Id)))
        {
            double done = _running.Find(worker => worker.Run.Id == run.Id) is { } worker ? Share(worker) : 0;
            seconds += Check(run).Tokens * (1 - done) / rates.GetValueOrDefault(run.Model, any);
        }

        return TimeSpan.FromSeconds(seconds / Workers);
    }
}
