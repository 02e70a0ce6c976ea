using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>A tiny grouped-query llama on a fixed stream of random tokens, the same for every instance of a seed.</summary>
internal sealed class TinyTraining : IDisposable
{
    private const int Batch = 2, Length = 12;
    private readonly TemporaryFolder _folder = new();
    private readonly Random _random;

    public TinyTraining(ScalarType type, int seed = 3, bool bias = true)
    {
        _random = new Random(seed);
        ModelCopy.Write(
            _folder["m"], TorchTinyModels.Config(further: bias ? ", \"attention_bias\": true" : ""), Tensors(seed, bias),
            Wisca.Safetensors.Dtype.F32, 1);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        Config = checkpoint.Config;
        Model = Decoder.Load(checkpoint, type == ScalarType.Float64 ? ComputePrecision.F64 : ComputePrecision.F32);
        Parameters = [.. Model.named_parameters().Select(entry => (entry.name, entry.parameter))];
    }

    public Decoder Model { get; }

    public ModelConfig Config { get; }

    public IReadOnlyList<(string Name, Parameter Parameter)> Parameters { get; }

    public Tensor this[string name] => Parameters.Single(entry => entry.Name == name).Parameter;

    public TransitionPlan Plan(TransitionKind kind, Granularity granularity) =>
        WiscaScheduler.PlanFor(
            Parameters,
            Config,
            new TransitionOptions
            {
                QueryKey = kind == TransitionKind.QueryKey ? granularity : null,
                ValueOutput = kind == TransitionKind.ValueOutput ? granularity : null,
                Mlp = kind == TransitionKind.UpDown ? granularity : null,
                Norms = kind == TransitionKind.NormGain ? granularity : null,
                Balance = new BalanceOptions(Rounding: FactorRounding.None),
            });

    /// <summary>The same function from weights that are far from balanced:
    /// the first kv head of every layer multiplied by 6 and 0.1.</summary>
    public void Unbalance()
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        const int d = TorchTinyModels.HeadDim, group = d * TorchTinyModels.Heads / TorchTinyModels.KvHeads;
        for (int layer = 0; layer < TorchTinyModels.Layers; layer++)
        {
            string name = $"model.layers.{layer}.self_attn.";
            foreach (string kind in (string[])["weight", "bias"])
            {
                if (Parameters.All(entry => entry.Name != $"{name}q_proj.{kind}")) continue;
                this[$"{name}q_proj.{kind}"].narrow(0, 0, group).mul_(6);
                this[$"{name}k_proj.{kind}"].narrow(0, 0, d).div_(6);
                this[$"{name}v_proj.{kind}"].narrow(0, 0, d).mul_(0.1);
            }

            this[$"{name}o_proj.weight"].narrow(1, 0, group).div_(0.1);
        }
    }

    /// <summary>A batch of the stream, as it comes.</summary>
    public long[] NextBatch() =>
        [.. Enumerable.Range(0, Batch * (Length + 1)).Select(_ => (long)_random.Next(TorchTinyModels.Vocabulary / 2))];

    /// <summary>The mean loss of a batch, with gradients left in the parameters.</summary>
    public double Backward(long[] batch)
    {
        using var scope = NewDisposeScope();
        foreach (var (_, parameter) in Parameters) parameter.grad = null;
        var loss = Loss(batch);
        loss.backward();
        return loss.AsDouble();
    }

    public double Evaluate(long[] batch)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        return Loss(batch).AsDouble();
    }

    public void Dispose()
    {
        Model.Dispose();
        _folder.Dispose();
    }

    private Tensor Loss(long[] batch)
    {
        var ids = tensor(batch, [Batch, Length + 1]);
        var logits = Model.forward(ids.narrow(1, 0, Length));
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids.narrow(1, 1, Length).flatten());
    }

    /// <summary>Small weights, as at the beginning of a training; the output projection has a bias too.</summary>
    private static IEnumerable<(string Name, long[] Shape, float[] Values)> Tensors(int seed, bool bias)
    {
        foreach (var tensor in TorchTinyModels.Tensors(seed, bias)) yield return tensor;
        if (!bias) yield break;
        var random = new Random(seed);
        for (int layer = 0; layer < TorchTinyModels.Layers; layer++)
            yield return (
                $"model.layers.{layer}.self_attn.o_proj.bias",
                [TorchTinyModels.Hidden],
                [.. Enumerable.Range(0, TorchTinyModels.Hidden).Select(_ => (float)(0.1 * random.NextDouble()))]);
    }
}
