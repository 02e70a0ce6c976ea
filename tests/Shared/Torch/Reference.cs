using System.Text.Json;
using Wisca.Checkpoints;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Tests.Torch;

/// <summary>Runs a decoder and compares what comes out with reference logits.</summary>
internal static class Reference
{
    /// <summary>Logits in float64, [position][token].</summary>
    public static double[][] Logits(Decoder decoder, int[] tokens)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var logits = decoder.forward(tensor(Array.ConvertAll(tokens, token => (long)token)).unsqueeze(0)).squeeze(0).to(ScalarType.Float64);
        return [.. logits.contiguous().data<double>().ToArray().Chunk((int)logits.shape[1])];
    }

    /// <summary>max |a - b| / max |b|.</summary>
    public static double RelativeDifference(double[][] a, double[][] b)
    {
        a.Length.ShouldBe(b.Length);
        double largest = b.Max(row => row.Max(Math.Abs));
        largest.ShouldBeGreaterThan(0);
        return a.Zip(b, (left, right) => left.Zip(right, (x, y) => Math.Abs(x - y)).Max()).Max() / largest;
    }

    /// <summary>One of the fixtures hf-arch-tiny as a model folder: its files are called otherwise there.</summary>
    public static Checkpoint OpenTiny(string name, TemporaryFolder folder, bool sharded = false)
    {
        string root = TestData.Require("fixtures", "hf-arch-tiny");
        if (sharded)
        {
            File.Copy(Path.Combine(root, $"tiny_{name}.safetensors.index.json"), folder[Checkpoint.IndexName]);
            foreach (string shard in Directory.GetFiles(root, $"tiny_{name}-*-of-*.safetensors"))
                File.CreateSymbolicLink(folder[Path.GetFileName(shard)], shard);
        }
        else
        {
            File.CreateSymbolicLink(folder[Checkpoint.WeightsName], Path.Combine(root, $"tiny_{name}.safetensors"));
        }

        string config = Path.Combine(root, $"tiny_{name}_config.json");
        if (File.Exists(config))
        {
            File.Copy(config, folder["config.json"]);
        }
        else
        {
            // The logits' file names the sizes, under names of its own.
            using var logits = JsonDocument.Parse(File.ReadAllText(Path.Combine(root, $"tiny_{name}_logits.json")));
            var sizes = logits.RootElement.GetProperty("config");
            File.WriteAllText(folder["config.json"], JsonSerializer.Serialize(new
            {
                model_type = name,
                n_layer = sizes.GetProperty("n_layer").GetInt32(),
                n_head = sizes.GetProperty("n_head").GetInt32(),
                n_embd = sizes.GetProperty("n_embd").GetInt32(),
                n_positions = sizes.GetProperty("n_ctx").GetInt32(),
                vocab_size = sizes.GetProperty("vocab").GetInt32(),
            }));
        }

        return Checkpoint.Open(folder.FullPath);
    }

    /// <summary>The sequences of one of the fixtures hf-arch-tiny, and their logits.</summary>
    public static IEnumerable<(int[] Tokens, double[][] Logits)> TinyLogits(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(TestData.Require("fixtures", "hf-arch-tiny", $"tiny_{name}_logits.json")));
        var root = document.RootElement;
        var sequences = root.GetProperty("sequences").Deserialize<int[][]>()!;
        return sequences.Zip(root.GetProperty("logits").Deserialize<double[][][]>()!);
    }
}
