using Wisca.Comparison.Results;

namespace Wisca.Comparison.Reports;

/// <summary>The statistics of a study: <c>study.json</c>, and what a report is made from together with the runs' results.</summary>
public sealed record StudyReport
{
    /// <summary>The version of the format that this code writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Version of the format.</summary>
    public required int Version { get; init; }

    /// <summary>The study's name, that of its folder.</summary>
    public required string Name { get; init; }

    /// <summary>What came out, in one sentence for each model and regime.</summary>
    public required IReadOnlyList<string> Verdicts { get; init; }

    /// <summary>The arm that the others are compared with.</summary>
    public required string Baseline { get; init; }

    /// <summary>Confidence of the intervals.</summary>
    public required double Confidence { get; init; }

    /// <summary>Number of runs that are known.</summary>
    public required int Runs { get; init; }

    /// <summary>Number of those that are finished.</summary>
    public required int Finished { get; init; }

    /// <summary>Parts of the study that wait for others, a sentence each.</summary>
    public required IReadOnlyList<string> Waiting { get; init; }

    /// <summary>Runs that failed.</summary>
    public required IReadOnlyList<RunFailure> Failures { get; init; }

    /// <summary>The study's configuration as it was used, as YAML.</summary>
    public required string Configuration { get; init; }

    /// <summary>The machines and versions that computed it, each once, without time.</summary>
    public required IReadOnlyList<string> Environments { get; init; }

    /// <summary>The models, regime by regime.</summary>
    public required IReadOnlyList<ComparedModel> Models { get; init; }

    /// <summary>The statistics of a study, as <c>wisca compare</c> last wrote them.</summary>
    /// <param name="folder">The study's folder.</param>
    /// <exception cref="WiscaException">There are none, or they cannot be read.</exception>
    public static StudyReport Load(StudyFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        const string hint = "wisca compare --config FILE --summary writes it anew from the finished runs";
        string path = folder.ReportPath;
        if (!File.Exists(path)) throw new WiscaException($"{folder.FullPath} has no study.json, expected the folder of a study", hint);
        var report = StudyFolder.Read<StudyReport>(path, hint);
        return report.Version == CurrentVersion
            ? report
            : throw new WiscaException($"{path} has version {report.Version}, expected {CurrentVersion}", hint);
    }
}
