// Trains a small Llama on the built-in stories, with transitions before the first step and every 10 steps.
using System.Text.Json.Nodes;
using Wisca.Settings;
using Wisca.Torch.Transitions;
using Wisca.Training;
using Wisca.Training.Configuration;
using Wisca.Transitions;

string work = Directory.CreateTempSubdirectory("wisca-sample-").FullName;

var shape = (JsonObject)JsonNode.Parse("""
    {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
     "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128}
    """)!;

var config = new TrainingConfig
{
    Output = Path.Combine(work, "run"),
    Steps = 30,
    BatchSize = 4,
    Model = new ModelSection { Config = new FileOrMapping(shape) },
    Tokenizer = new TokenizerSection { Vocabulary = 512 },
    Data = new DataSection { Stories = 500, HeldOut = 0.05, SequenceLength = 64 },
    Wisca = new WiscaSection { QueryKey = Granularity.KvHead, ValueOutput = Granularity.KvHead, Every = 10 },
    Evaluation = new EvaluationSection { Every = 10, Tokens = 4096 },
};

var watch = new Watch();

TrainingResult result;
using (var trainer = Trainer.Prepare(config, ResumeMode.Auto, watch)) result = trainer.Run();
Console.WriteLine($"perplexity {result.Final!.Perplexity:0.0} after {result.Step} steps: {result.Checkpoint}");

bool learnt = watch.Losses[^1] < watch.Losses[0];
Directory.Delete(work, recursive: true);
return learnt && watch.Transitions > 0 ? 0 : 1;

/// <summary>Told what happens.</summary>
internal sealed class Watch : ITrainingObserver
{
    public List<double> Losses { get; } = [];

    public int Transitions { get; private set; }

    public void Trained(StepReport report) => Console.WriteLine($"step {report.Step} of {report.Steps}: loss {report.Loss:0.000}");

    public void Evaluated(EvaluationReport report) => Losses.Add(report.Loss);

    public void Transitioned(TransitionEvent transition) => Transitions++;

    public void Sampled(long completedSteps, string prompt, string continuation) => Console.WriteLine(prompt + continuation);

    public void Saved(long completedSteps, string folder) => Console.WriteLine($"checkpoint {folder}");

    public void Notice(string message) => Console.WriteLine(message);
}
