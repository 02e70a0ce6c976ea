using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Files;
using Wisca.Torch;
using Wisca.Torch.Transitions;
using Wisca.Training;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Training.Logging;

namespace Wisca.Comparison.Running;

/// <summary>
/// The inside of a worker process: makes one run, goes on where an earlier worker was stopped, and writes its result. It reads its standard
/// input:
/// <c>stop</c> ends the run with a checkpoint, and the end of the input,
/// which the system brings about when the parent dies, ends the process at once.
/// </summary>
public static class RunWorker
{
    internal const string Stop = "stop";

    // Of an earlier worker whose parent was killed the last breath may still be awaited.
    private static readonly TimeSpan Predecessor = TimeSpan.FromSeconds(20);

    /// <summary>Makes the run that a request describes.</summary>
    /// <param name="path">The request's file.</param>
    /// <param name="version">The version of wisca.</param>
    /// <param name="input">What the parent says.</param>
    /// <param name="output">What the parent is told, a JSON object a line.</param>
    /// <param name="cancellation">Stops the run with a checkpoint.</param>
    /// <returns>True where the run has a result, or was stopped.</returns>
    public static bool Execute(string path, string version, TextReader input, TextWriter output, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var listener = new Thread(() => Listen(input, stop)) { IsBackground = true, Name = "parent" };
        listener.Start();
        try
        {
            var request =
                JsonSerializer.Deserialize<RunRequest>(File.ReadAllBytes(path), StudyJson.Options)
                ?? throw new WiscaException($"{path} is null, expected a request");
            var kind = RunKind.Of(request.Runs);
            var config = kind.Read(request.Configuration, path);
            RunFolder.AwaitFree(config.Output, Predecessor);
            if (Train(request, kind, config, version, output, stop.Token) is { } result) Finish(request, kind, config, result);
            else Say(output, new WorkerMessage { Interrupted = true });
            return true;
        }
        catch (Exception exception) when (exception is WiscaException or IOException or UnauthorizedAccessException or ExternalException)
        {
            string message = exception is WiscaException { Details: [var first, ..] } ? $"{exception.Message}: {first}" : exception.Message;
            Say(output, new WorkerMessage { Error = message.Split(['\n', '\r'])[0] });
            return false;
        }
        catch (OperationCanceledException)
        {
            Say(output, new WorkerMessage { Interrupted = true });
            return true;
        }
    }

    internal static void Say(TextWriter output, WorkerMessage message)
    {
        output.WriteLine(JsonSerializer.Serialize(message, Line));
        output.Flush();
    }

    internal static readonly JsonSerializerOptions Line = new(StudyJson.Options) { WriteIndented = false };

    private static void Listen(TextReader input, CancellationTokenSource stop)
    {
        while (input.ReadLine() is { } line)
        {
            if (line != Stop) continue;
            try
            {
                stop.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The run has ended meanwhile.
            }
        }

        // Files are written beside their places, so that nothing is left half done: the next worker goes on from the last checkpoint.
        Process.GetCurrentProcess().Kill();
    }

    /// <summary>Trains to the end; null where it was stopped before.</summary>
    private static RunResult? Train(
        RunRequest request, RunKind kind, RunConfig config, string version, TextWriter output, CancellationToken stop)
    {
        using var trainer = kind.Prepare(config, new Observer(output), stop);
        string? reason = null;
        bool whole = trainer.CompletedSteps == 0;
        var before = Environment.CpuUsage.TotalTime;
        try
        {
            if (trainer.Run(stop).Interrupted) return null;
        }
        catch (WiscaException) when (trainer.Divergence is not null)
        {
            reason = trainer.Divergence;
        }

        var processors = Environment.CpuUsage.TotalTime - before - trainer.ProcessorTimeApart;
        var metrics = new MetricsReader(
            Path.Combine(config.Output, RunLayout.Metrics),
            trainer.TokensSeen / (double)Math.Max(1, trainer.CompletedSteps));
        return new RunResult
        {
            Version = RunResult.CurrentVersion,
            Id = request.Id,
            Label = request.Label,
            Outcome = reason is null ? RunOutcome.Completed : RunOutcome.Diverged,
            Reason = reason,
            Configuration = kind.Recorded(config).ToYaml(commented: false),
            Seed = config.Seed,
            LearningRate = config.Optimizer.LearningRate,
            Parameters = metrics.Parameters,
            InitialWeights = metrics.InitialWeights,
            Base = metrics.Base,
            Steps = trainer.CompletedSteps,
            Tokens = trainer.TokensSeen,
            Seconds = Math.Round(trainer.TrainingTime.TotalSeconds, 3),
            ProcessorSeconds = whole ? Math.Round(processors.TotalSeconds, 3) : null,
            TrainingLoss = metrics.TrainingLoss,
            HeldOut = metrics.HeldOut,
            Imbalances = metrics.Series(MetricNames.Imbalance),
            Norms = metrics.Series(MetricNames.Norm),
            Transitions = metrics.Transitions,
            Rotations = metrics.Rotations is { Count: > 0 } rotations ? rotations : null,
            Scores = new Dictionary<string, RunScore>(),
            Environment = new RunEnvironment(
                new SortedDictionary<string, string>(StringComparer.Ordinal)
                {
                    ["wisca"] = version,
                    ["torchsharp"] = TorchRuntime.TorchSharpVersion,
                    ["libtorch"] = TorchRuntime.LibtorchVersion,
                    ["dotnet"] = Environment.Version.ToString(),
                },
                RuntimeInformation.OSDescription,
                ProcessorName(),
                Environment.ProcessorCount,
                config.Threads,
                DateTimeOffset.UtcNow),
        };
    }

    private static void Finish(RunRequest request, RunKind kind, RunConfig config, RunResult result)
    {
        using var folder = new StudyFolder(request.Folder);
        if (request.KeepModel && result.Outcome == RunOutcome.Completed && RunFolder.FindLatest(config.Output) is { } checkpoint)
        {
            string model = Path.Combine(folder.RunPath(result.Id), kind.Product(config));
            AtomicFolder.Ensure(folder.RunPath(result.Id));
            if (Directory.Exists(model)) Directory.Delete(model, recursive: true);
            Directory.Move(checkpoint, model);
            Directory.Delete(Path.Combine(model, RunLayout.Training), recursive: true);
        }

        folder.WriteResult(result);
    }

    private static string ProcessorName()
    {
        const string file = "/proc/cpuinfo", key = "model name";
        string? line = File.Exists(file)
            ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))
            : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':') + 1)..].Trim();
    }

    private sealed class Observer(TextWriter output) : ITrainingObserver
    {
        public void Trained(StepReport report) =>
            Say(output, new WorkerMessage { Step = report.Step, TokensPerSecond = report.TokensPerSecond });

        public void Evaluated(EvaluationReport report)
        {
        }

        public void Transitioned(TransitionEvent transition)
        {
        }

        public void Sampled(long completedSteps, string prompt, string continuation)
        {
        }

        public void Saved(long completedSteps, string folder)
        {
        }

        public void Notice(string message)
        {
        }
    }
}
