// A paired experiment: two arms at three seeds, each run in a process of its own, and a report of what it shows.
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Running;
using Wisca.Comparison.Studies;
using Wisca.Reporting;

// Workers are this program again.
if (args is ["worker", var request])
    return RunWorker.Execute(request, "sample", Console.In, Console.Out, CancellationToken.None) ? 0 : 2;

string work = Directory.CreateTempSubdirectory("wisca-sample-").FullName;
string file = Path.Combine(work, "study.yaml");
File.WriteAllText(file, $$"""
    output: {{Path.Combine(work, "study").Replace('\\', '/')}}
    seeds: [1, 2, 3]
    learning_rates: [3.0e-3]
    training:
      batch_size: 4
      steps: 20
      model:
        config: { model_type: llama, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4,
                  num_key_value_heads: 2, max_position_embeddings: 64 }
      tokenizer: { source: bytes }
      data: { stories: 300, held_out: 0.05, sequence_length: 48 }
      evaluation: { every: 10, tokens: 4096 }
    arms:
      origin: { wisca: { preset: origin } }
      wisca: { wisca: { preset: qk_ten+vo_ten, every: 10 } }
    """);

var study = Study.Load(file);
using var folder = new StudyFolder(study.Config.Output);
folder.Join();
var program = new WorkerProgram(Environment.ProcessPath!, ["worker"]);
var outcome = new StudyRunner(study, folder, new RunnerOptions(program), new Watch()).Run(CancellationToken.None);

var results = folder.ReadResults().ById;
var report = StudyStatistics.Of(study, results, outcome.Failures);

StudyPages.Write(report, results, folder.PagePath, folder.MarkdownPath);
foreach (string verdict in report.Verdicts) Console.WriteLine(verdict);
Console.WriteLine($"{new FileInfo(folder.PagePath).Length / 1000} kB of report, which needs nothing beside it");

bool complete = report.Finished == report.Runs && outcome.Failures.Count == 0;
folder.Dispose();
Directory.Delete(work, recursive: true);
return complete ? 0 : 1;

/// <summary>Told how it goes on.</summary>
internal sealed class Watch : IStudyObserver
{
    public void Started(PlannedRun run) => Console.WriteLine($"started {run.Label}");

    public void Finished(PlannedRun run, RunResult result, TimeSpan elapsed) =>
        Console.WriteLine($"finished {run.Label}: loss {result.Final()?.Test:0.0000} in {elapsed.TotalSeconds:0.0} s");

    public void Failed(RunFailure failure) => Console.WriteLine($"failed {failure.Label}: {failure.Reason}");

    public void Progressed(StudyProgress progress)
    {
    }

    public void Notice(string message) => Console.WriteLine(message);
}
