using Wisca.Comparison.Studies;

namespace Wisca.Comparison.Running;

/// <summary>What a worker process is asked to do: <c>work/ID/request.json</c>.</summary>
/// <param name="Id">The run's id.</param>
/// <param name="Label">What the study calls it.</param>
/// <param name="Folder">The study's folder.</param>
/// <param name="Runs">The command whose run it is.</param>
/// <param name="Configuration">The run's configuration, as YAML.</param>
/// <param name="KeepModel">Whether the trained model stays.</param>
internal sealed record RunRequest(string Id, string Label, string Folder, RunCommand Runs, string Configuration, bool KeepModel);
