using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Cli.Demo;

/// <summary>Trains the same small Llama twice, from the same weights on the same text in the same order:
/// as it is, and with transitions.</summary>
internal static class DemoTraining
{
    private static readonly (string Name, Granularity? Granularity)[] Arms = [("origin", null), ("qk_ten+vo_ten", Granularity.Tensor)];

    /// <summary>The run of an arm.</summary>
    public static TrainingConfig Config(string folder, string arm, int steps)
    {
        var granularity = Arms.Single(entry => entry.Name == arm).Granularity;
        int every = Math.Max(1, steps / 6);
        return new TrainingConfig
        {
            Output = Path.Combine(folder, arm),
            Steps = steps,
            BatchSize = 8,
            Model = new ModelSection
            {
                Config = new FileOrMapping(new JsonObject
                {
                    ["model_type"] = "llama",
                    ["hidden_size"] = 96,
                    ["intermediate_size"] = 256,
                    ["num_hidden_layers"] = 3,
                    ["num_attention_heads"] = 6,
                    ["num_key_value_heads"] = 2,
                    ["max_position_embeddings"] = 256,
                    ["tie_word_embeddings"] = true,
                }),
            },
            Tokenizer = new TokenizerSection { Vocabulary = 1024 },
            Data = new DataSection
            {
                Stories = Math.Clamp(20 * steps, 500, 10000),
                HeldOut = 0.02,
                SequenceLength = 128,
                Cache = Path.Combine(folder, "text"),
            },
            Optimizer = new OptimizerSection { LearningRate = 3e-3 },
            Schedule = new ScheduleSection { Warmup = Math.Min(40, steps / 4) },
            Wisca = new WiscaSection { QueryKey = granularity, ValueOutput = granularity, Every = every },
            Evaluation = new EvaluationSection
            {
                Every = every,
                Tokens = 16384,
                Samples = new SamplesSection
                {
                    Every = steps,
                    Tokens = 60,
                    Temperature = 0.5,
                },
            },
            Checkpoints = new CheckpointSection { Every = 0, Keep = 1 },
        };
    }

    /// <summary>Trains both arms and prints their held-out perplexities side by side.</summary>
    public static void Run(CommandContext context, string folder, int steps, CancellationToken cancellation)
    {
        var curves = new List<IReadOnlyList<EvaluationReport>>();
        var checkpoints = new List<string>();
        foreach (var (arm, _) in Arms)
        {
            var watch = new TrainingConsole(context.Error, arm);
            using var trainer = Trainer.Prepare(Config(folder, arm, steps), ResumeMode.Never, watch, cancellation);
            var result = trainer.Run(cancellation);
            cancellation.ThrowIfCancellationRequested();
            curves.Add(watch.Evaluations);
            checkpoints.Add(result.Checkpoint);
        }

        var table = new Table().Border(TableBorder.Simple).AddColumn("step");
        table
            .AddColumn(new TableColumn("origin").RightAligned())
            .AddColumn(new TableColumn("qk_ten+vo_ten").RightAligned())
            .AddColumn(new TableColumn("difference").RightAligned());
        foreach (var (origin, moved) in curves[0].Zip(curves[1]))
        {
            table.AddRow(
                $"{origin.Step}", Number(origin.Perplexity), Number(moved.Perplexity),
                string.Create(CultureInfo.InvariantCulture, $"{100 * ((moved.Perplexity / origin.Perplexity) - 1):+0.00;-0.00;0.00} %"));
        }

        context.Out.WriteLine("held-out perplexity");
        context.Out.Write(table);
        context.Out.WriteLine(
            "One seed and a few minutes show that it runs, not that it helps: that takes several seeds and learning rates.");
        for (int arm = 0; arm < Arms.Length; arm++) context.Out.WriteLine($"{Arms[arm].Name,-13} {checkpoints[arm]}");
        context.Out.WriteLine($"{"curves",-13} {Path.Combine(folder, "ARM", RunLayout.Metrics)}; tensorboard --logdir {folder}");
    }

    private static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
