using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;
using Wisca.Torch.Models;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;

namespace Wisca.Training.Tests.Finetuning;

/// <summary>Fine-tunings that take a second: a tiny base, bytes as tokens, invented questions.</summary>
internal static class TinyFinetune
{
    /// <summary>A run of six steps without transitions, with one evaluation at each end, and a checkpoint every two steps.</summary>
    public static FinetuneConfig Config(TemporaryFolder folder)
    {
        if (!Directory.Exists(folder["base"])) WriteBase(folder["base"]);
        File.WriteAllLines(folder["data.jsonl"], Lines());
        return new()
        {
            Output = folder["run"],
            Threads = 1,
            BatchSize = 2,
            Steps = 6,
            Base = new() { Model = folder["base"] },
            Adapter = new() { R = 4 },
            Data = new() { Train = [folder["data.jsonl"]], HeldOut = 0.2, SequenceLength = 64 },
            Optimizer = new() { LearningRate = 1e-2, WeightDecay = 0 },
            Schedule = new() { Name = ScheduleKind.Constant, Warmup = 0 },
            Wisca = new() { QueryKey = null, ValueOutput = null },
            Evaluation = new() { Every = 0, Samples = new() { Every = 0 } },
            Checkpoints = new() { Every = 2, Keep = 9 },
            Logging = new() { Every = 1, Tensorboard = false },
        };
    }

    public static void WriteBase(string folder, string modelType = "llama")
    {
        var tokenizer = ByteTokenizer.Create();
        var config = TinyRun.Model(modelType);
        config["vocab_size"] = tokenizer.VocabularySize;
        config["eos_token_id"] = ByteTokenizer.EosId;
        using (var model = Decoder.Create(DecoderConfig.From(ModelConfig.Parse(config.ToJsonString())), 3)) model.Save(folder);
        tokenizer.Save(folder);
    }

    public static TrainingRecorder Train(FinetuneConfig config, ResumeMode? resume = null)
    {
        var recorder = new TrainingRecorder();
        using var trainer = Finetuner.Prepare(config, resume ?? ResumeMode.Auto, recorder, CancellationToken.None);
        trainer.Run();
        return recorder;
    }

    /// <summary>Questions of several lengths whose answers follow a rule.</summary>
    private static IEnumerable<string> Lines() =>
        Enumerable
            .Range(0, 60)
            .Select(i =>
                $$"""{"prompt": "say {{(i % 2 == 0 ? "on" : "off")}} {{new string('.', i % 7)}}{{i}}: ","""
                + $$""" "completion": "{{(i % 2 == 0 ? "on on" : "off")}}"}""");
}
