using System.Runtime.InteropServices;
using Wisca.Core.Tests.Architectures;
using Wisca.Core.Tests.Certificates;
using Wisca.Inspection;
using Wisca.Tests;

namespace Wisca.Core.Tests.Inspection;

/// <summary>The norms that are shown are those of the projections' own rows.</summary>
public sealed class InspectorTests
{
    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("codegen")]
    [InlineData("falcon, grouped")]
    [InlineData("falcon, multi-query")]
    [InlineData("gpt_neox")]
    [InlineData("phi3")]
    public void Inspect_AnyLayout_SumsTheRowsOfEachRole(string name)
    {
        var family = TinyFamilies.ByName[name];
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(family, folder["model"]);
        var shares = new List<double>();
        foreach (var layer in Inspector.Inspect(model, threads: 1, progress: new Listener(shares)).Layers)
        {
            double query = Sum('q', family.Heads), key = Sum('k', family.KvHeads), value = Sum('v', family.KvHeads);
            double output = Read($"{family.O}.weight").Sum(Math.Abs);
            layer.Query!.Value.ShouldBe(query, 1e-12 * query);
            layer.Key!.Value.ShouldBe(key, 1e-12 * key);
            layer.Value!.Value.ShouldBe(value, 1e-12 * value);
            layer.Output!.Value.ShouldBe(output, 1e-12 * output);
            layer.QueryKeyRatio!.Value.ShouldBe(query / key, 1e-12);
            layer.ValueOutputRatio!.Value.ShouldBe(value / output, 1e-12);

            double Sum(char role, int heads)
            {
                var (module, rows) = family.ModuleOf(role);
                double[] weight = Read(module + ".weight");
                return (from head in Enumerable.Range(0, heads)
                        from channel in Enumerable.Range(0, family.HeadDim)
                        from i in Enumerable.Range(0, family.Hidden)
                        let row = family.RowOf(role, head) + channel
                        select Math.Abs(weight[family.Transposed ? (i * rows) + row : (row * family.Hidden) + i])).Sum();
            }

            double[] Read(string tensor)
            {
                var stored = model.Find(family.LayerName(layer.Layer) + tensor)!;
                return MemoryMarshal.Cast<byte, double>(stored.Bytes(0, (int)stored.Info.ByteLength)).ToArray();
            }
        }

        shares.ShouldBe([.. Enumerable.Range(1, family.Layers).Select(layer => layer / (double)family.Layers)]);
    }

    [Fact]
    public void Inspect_NaNInAWeight_NamesTensorAndPlace()
    {
        using var folder = new TemporaryFolder();
        TinyCheckpoint.Create(TinyFamilies.ByName["llama"], folder["model"]).Dispose();
        WeightEditor.Edit(folder["model"], "model.layers.1.self_attn.k_proj.weight", bytes =>
            MemoryMarshal.Cast<byte, double>(bytes.AsSpan())[(3 * 16) + 5] = double.NaN);
        using var model = Wisca.Checkpoints.Checkpoint.Open(folder["model"]);
        Should.Throw<WiscaException>(() =>
            Inspector.Inspect(model)).Message.ShouldContain("'model.layers.1.self_attn.k_proj.weight' holds NaN or infinity at [3, 5]");
    }

    [Fact]
    public void Inspect_Cancelled_Stops()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(TinyFamilies.ByName["llama"], folder["model"]);
        Should.Throw<OperationCanceledException>(() => Inspector.Inspect(model, cancellation: new CancellationToken(true)));
    }

    private sealed class Listener(List<double> shares) : IProgress<double>
    {
        public void Report(double value) => shares.Add(value);
    }
}
