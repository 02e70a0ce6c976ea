using System.Globalization;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Reporting;
using Wisca.Tests;

namespace Wisca.Fuzz.Readers;

/// <summary>Results of runs that came from elsewhere: read, taken over, and made a report of.</summary>
internal sealed class StudyTargets : ITargets
{
    private const string Configuration = """
        output: out
        seeds: [1]
        learning_rates: [1.0e-3]
        baseline: origin
        training: { steps: 20, data: { train: [TEXT] } }
        arms: { origin: {}, wisca: { wisca: { preset: qk_ten } } }
        """;

    private readonly TemporaryFolder _folder = new();
    private readonly Study _study;
    private readonly StudyFolder _other;
    private readonly IReadOnlyDictionary<string, RunResult> _results;
    private readonly string _id;

    public StudyTargets()
    {
        File.WriteAllText(_folder["text.txt"], "Ducks.\n");
        File.WriteAllText(_folder["study.yaml"], Configuration.Replace("TEXT", _folder["text.txt"], StringComparison.Ordinal));
        _study = Study.Load(_folder["study.yaml"]);
        _other = new StudyFolder(_folder["other"]);
        var runs = _study.Plan(new Dictionary<string, RunResult>()).Runs;
        foreach (var run in runs) _other.WriteResult(Result(run));
        _id = runs[^1].Id;
        string result = File.ReadAllText(_other.ResultPath(_id));
        _results = _study.ResultsIn(_other).ById;
        StudyFolder.Write(_other.ReportPath, StudyStatistics.Of(_study, _results, [new RunFailure(_id, "label", "why")]));
        string report = File.ReadAllText(_other.ReportPath);
        All =
        [
            new Target("study", 10, random => Mutator.Json(result, random), Read, null),
            new Target("report", 10, random => Mutator.Json(report, random), ReadReport, null),
        ];
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose() => _folder.Dispose();

    private static RunResult Result(PlannedRun run) => new()
    {
        Version = RunResult.CurrentVersion,
        Id = run.Id,
        Label = run.Label,
        Outcome = RunOutcome.Completed,
        Configuration = "seed: 1\n",
        Seed = run.Seed,
        LearningRate = run.LearningRate,
        Parameters = 1000,
        InitialWeights = "00ff",
        Steps = 20,
        Tokens = 2000,
        Seconds = 3.5,
        TrainingLoss = [new(10, 1000, 3.5), new(20, 2000, 3)],
        HeldOut = [new(10, 1000, 3.6, 3.7), new(20, 2000, 3.1, 3.2)],
        Imbalances = [new("qk", 0, [10, 20], [0.5, 0.25])],
        Norms = [new("q", 0, [10, 20], [5, 6])],
        Transitions = [new(10, "qk", 0, 2, 1.5, 1, 2)],
        Scores = new Dictionary<string, RunScore> { ["piqa acc"] = new(0.5, 0.1) },
        Environment = new RunEnvironment(
            new Dictionary<string, string> { ["wisca"] = "1" }, "Linux", "Processor", 2, 1,
            DateTimeOffset.Parse("2026-01-01T00:00:00Z", CultureInfo.InvariantCulture)),
    };

    /// <summary>The statistics, as <c>wisca report</c> reads them.</summary>
    private void ReadReport(byte[] input)
    {
        File.WriteAllBytes(_other.ReportPath, input);
        StudyPages.Html(StudyReport.Load(_other), _results);
    }

    private void Read(byte[] input)
    {
        File.WriteAllBytes(_other.ResultPath(_id), input);
        var mine = new StudyFolder(_folder["mine"]);
        try
        {
            var merged = _study.Merge(mine, _other.FullPath);
            StudyStatistics.Of(_study, _study.ResultsIn(mine).ById, []);
            var results = _study.ResultsIn(_other).ById;
            StudyPages.Html(StudyStatistics.Of(_study, results, []), results);

            // What is refused is named and left out; here that is a refusal like any other.
            if (merged.Refused is [var refused, ..]) throw new WiscaException(refused.Reason);
        }
        finally
        {
            if (Directory.Exists(mine.FullPath)) Directory.Delete(mine.FullPath, recursive: true);
        }
    }
}
