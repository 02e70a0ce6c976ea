using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Tests;

namespace Wisca.Evaluation.Tests.Tasks;

/// <summary>A data folder with invented items, and what is made of them.</summary>
internal sealed class TaskFolder : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string FullPath => _folder.FullPath;

    public TaskFolder With(string name, params string[] lines)
    {
        string path = _folder[name.Split('/')];
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, string.Join('\n', lines) + "\n");
        return this;
    }

    public LoadedTask Load(string task, TaskOptions? options = null) =>
        TaskLoader.Load(TaskCatalogue.Load().Tasks[task], FullPath, options ?? new TaskOptions());

    public TaskRun Run(
        string tasks, Func<LogLikelihoodRequest, double> logLikelihood, TaskOptions? options = null, ITaskObserver? observer = null,
        string? include = null
    ) =>
        new TaskRunner(new MadeScorer(logLikelihood), FullPath, options ?? new TaskOptions { BootstrapIterations = 100, Threads = 1 }).Run(
            TaskCatalogue.Load(include).Select(tasks.Split(',')),
            observer);

    public void Dispose() => _folder.Dispose();

    /// <summary>A model that is a function; it is greedy where it is certain.</summary>
    internal sealed class MadeScorer(Func<LogLikelihoodRequest, double> logLikelihood) : ILogLikelihoodScorer
    {
        public LogLikelihood[] Score(
            IReadOnlyList<LogLikelihoodRequest> requests, IProgress<int>? progress = null, CancellationToken cancellation = default)
        {
            LogLikelihood[] answers = [.. requests.Select(logLikelihood).Select(sum => new LogLikelihood(sum, sum > -1))];
            progress?.Report(answers.Length);
            return answers;
        }
    }
}
