using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;
using Wisca.Torch.Models;

namespace Wisca.Cli.Tests.Training;

/// <summary>A tiny study of trainings, and what one of fine-tunings needs: a base, and invented examples.</summary>
internal static class TinyStudy
{
    /// <summary>Writes a study of an arm <c>origin</c> and further ones, whose output is the folder <c>out</c>.</summary>
    public static string Write(TemporaryFolder folder, int steps, string arms, string further = "")
    {
        TinyRun.Write(folder, steps, further: "checkpoints: {every: 1}");
        var lines = File.ReadAllLines(folder["run.yaml"])
            .Where(line => !line.StartsWith("output", StringComparison.Ordinal) && !line.StartsWith("threads", StringComparison.Ordinal))
            .Select(line => "  " + line.Replace("held_out: 0.1", "held_out: 0.4", StringComparison.Ordinal));
        File.WriteAllText(
            folder["study.yaml"],
            $"output: '{folder["out"]}'\nworkers: 2\ntraining:\n{string.Join('\n', lines)}\n"
            + $"arms:\n  origin: {{ wisca: {{ preset: origin }} }}\n{arms}\n{further}");
        return folder["study.yaml"];
    }

    /// <summary>Makes a base and examples, and returns the settings that name them.</summary>
    public static string[] Inputs(TemporaryFolder folder)
    {
        if (!Directory.Exists(folder["base"]))
        {
            var config = ModelConfig.Parse($$"""
                {
                  "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
                  "num_key_value_heads": 2, "max_position_embeddings": 256, "vocab_size": 257,
                  "eos_token_id": {{ByteTokenizer.EosId}}, "rms_norm_eps": 1e-5
                }
                """);
            using (var model = Decoder.Create(DecoderConfig.From(config), 3)) model.Save(folder["base"]);
            ByteTokenizer.Create().Save(folder["base"]);
            string Example(int i) => $$"""{"prompt": "item {{i}}: ", "completion": "{{(i % 3 == 0 ? "red" : "blue")}}"}""";
            File.WriteAllText(folder["data.json"], $"[{string.Join(",\n", Enumerable.Range(0, 60).Select(Example))}]");
        }

        return [$"training.base.model={folder["base"]}", $"training.data.train=[{folder["data.json"]}]"];
    }
}
