// Balances a model folder in a few lines. Without arguments it makes a small random one to work on.
using System.Runtime.InteropServices;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Transitions;

string work = Directory.CreateTempSubdirectory("wisca-sample-").FullName;
string model = args.Length > 0 ? args[0] : MakeModel(Path.Combine(work, "model"));
string output = args.Length > 1 ? args[1] : Path.Combine(work, "balanced");
string original = Path.Combine(work, "original");

using var checkpoint = Checkpoint.Open(model);
var result = Rescaler.Rescale(checkpoint, output, new RescaleOptions
{
    QueryKey = Granularity.KvHead,
    ValueOutput = Granularity.KvHead,
    Balance = new BalanceOptions(Criterion.L1, FactorRounding.PowerOfTwo),
});

foreach (var group in result.Move!.Groups)
    Console.WriteLine(
        $"layer {group.Layer} {group.Transition} kv head {group.KvHead}: factor {group.Factor}, norms {group.NormsBefore[0]:0.0} and "
        + $"{group.NormsBefore[1]:0.0} -> {group.NormsAfter[0]:0.0} and {group.NormsAfter[1]:0.0}");

using var balanced = Checkpoint.Open(output);
var certificate = Certifier.Compare(checkpoint, balanced);      // in float64, no forward pass
var undone = Undoer.Undo(balanced, original);

Console.WriteLine($"equivalent: {certificate.Equivalent} (errors {certificate.QueryKeyError}, {certificate.ValueOutputError})");
Console.WriteLine($"undone bit for bit: {undone.BitExactTensors.Length} tensors");
Directory.Delete(work, recursive: true);
return certificate.Equivalent && undone.RoundedTensors.IsEmpty ? 0 : 1;

static string MakeModel(string folder)
{
    const int hidden = 32, heads = 4, kvHeads = 2, headDim = 8;
    Directory.CreateDirectory(folder);
    File.WriteAllText(Path.Combine(folder, "config.json"), $$"""
        {"model_type": "llama", "hidden_size": {{hidden}}, "num_hidden_layers": 1, "num_attention_heads": {{heads}},
         "num_key_value_heads": {{kvHeads}}}
        """);
    (string Name, Dtype, long[] Shape)[] tensors =
    [
        ("model.layers.0.self_attn.q_proj.weight", Dtype.F32, [heads * headDim, hidden]),
        ("model.layers.0.self_attn.k_proj.weight", Dtype.F32, [kvHeads * headDim, hidden]),
        ("model.layers.0.self_attn.v_proj.weight", Dtype.F32, [kvHeads * headDim, hidden]),
        ("model.layers.0.self_attn.o_proj.weight", Dtype.F32, [hidden, heads * headDim]),
    ];
    var random = new Random(1);
    using var writer = new SafetensorsWriter(Path.Combine(folder, "model.safetensors"), SafetensorsHeader.Create(tensors));
    foreach (var tensor in tensors)
    {
        float scale = tensor.Name.Contains("q_proj") ? 0.5f : 0.05f;
        float[] weights =
        [
            .. Enumerable.Range(0, (int)(tensor.Shape[0] * tensor.Shape[1])).Select(_ => scale * (random.NextSingle() - 0.5f)),
        ];
        writer.Write(MemoryMarshal.AsBytes<float>(weights));
    }

    writer.Complete();
    return folder;
}
