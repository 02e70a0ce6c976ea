using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

public sealed class MergerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F32", "F32", false, false)]
    [InlineData("BF16", "F32", false, true)]
    [InlineData("F16", "BF16", true, false)]
    [InlineData("F64", "F16", true, true)]
    public void Merge_Weights_AreTheFloat64ProductRoundedOnce(string dtype, string adapterDtype, bool dora, bool rankStabilized)
    {
        var llama = new SmallLlama { Dtype = dtype, Shards = 3 };
        llama.Write(_folder["m"]);
        (SmallAdapter.Of(llama) with { Dtype = adapterDtype, Dora = dora, RankStabilized = rankStabilized }).Write(_folder["a"]);
        Merge("m", "a").Merged.ShouldBe(8);
        var merged = TestCheckpoint.Read(_folder["out"]);
        var expected = DenseModel.Merged(_folder["m"], _folder["a"], rankStabilized ? 6 / Math.Sqrt(3) : 2);
        foreach (var (name, tensor) in TestCheckpoint.Read(_folder["m"]))
        {
            if (!expected.TryGetValue(name, out double[][]? matrix))
            {
                merged[name].Bytes.ShouldBe(tensor.Bytes);
                continue;
            }

            // Sums in another order differ in float64's last bits, which decides a rounding to 16 bits hardly ever: one unit is allowed.
            double[] actual = ReferenceFloat.Values(dtype, merged[name].Bytes), wanted = [.. matrix.SelectMany(row => row)];
            double unit = Math.ScaleB(1, dtype switch { "F16" => -10, "BF16" => -7, "F32" => -23, _ => -49 });
            int exact = 0;
            for (int i = 0; i < actual.Length; i++)
            {
                actual[i]
                    .ShouldBe(wanted[i], Math.Max(unit * Math.Abs(wanted[i]) * 0.501, 1e-16) + (dtype == "F16" ? Math.ScaleB(1, -25) : 0));
                if (dtype != "F64" && ReferenceFloat.Encode(dtype, wanted[i]) == ReferenceFloat.Encode(dtype, actual[i])) exact++;
            }

            if (dtype != "F64") exact.ShouldBeGreaterThan(actual.Length * 99 / 100);
        }
    }

    [Theory]
    [InlineData(16, 24)]
    [InlineData(16, 16)]
    public void Merge_Conv1D_AddsTheTransposedProduct(int inputs, int outputs)
    {
        var random = new Random(3);
        double[] values = [.. Enumerable.Range(0, inputs * outputs).Select(_ => random.NextDouble() - 0.5)];
        TestCheckpoint.Write(
            _folder["m"],
            """{"model_type": "gpt2"}""",
            [new TestTensor("h.0.mlp.c_fc.weight", "F64", [inputs, outputs], ReferenceFloat.Bytes("F64", values))]);
        var adapter = new SmallAdapter
        {
            Modules = [("transformer.h.0.mlp.c_fc", outputs, inputs)],
            Dora = true,
            Edit = json => json["fan_in_fan_out"] = true,
        };
        adapter.Write(_folder["a"]);
        Merge("m", "a");

        // The oracle knows one name for module and tensor.
        var plain = new SmallAdapter { Modules = [("h.0.mlp.c_fc", outputs, inputs)], Dora = true };
        plain.Write(_folder["b"]);
        double[][] expected = DenseModel.Merged(_folder["m"], _folder["b"], 2, transposed: true)["h.0.mlp.c_fc.weight"];
        DenseModel
            .Difference(expected, DenseModel.Matrix(TestCheckpoint.Read(_folder["out"])["h.0.mlp.c_fc.weight"]))
            .ShouldBeLessThan(1e-14);
    }

    [Fact]
    public void Merge_SavedTensor_ReplacesTheBase()
    {
        var llama = new SmallLlama { Dtype = "BF16" };
        llama.Write(_folder["m"]);
        double[] gain = [.. Enumerable.Range(0, 16).Select(index => 1 + (index * 0.001))];
        (
            SmallAdapter.Of(llama) with
            {
                Saved = [new TestTensor("base_model.model.model.norm.weight", "F32", [16], ReferenceFloat.Bytes("F32", gain))],
            }
        ).Write(_folder["a"]);
        Merge("m", "a").Replaced.ShouldBe(1);
        TestCheckpoint
            .Read(_folder["out"])["model.norm.weight"]
            .Bytes.ShouldBe(ReferenceFloat.Bytes("BF16", gain.Select(value => (double)(float)value)));
    }

    [Fact]
    public void Merge_TiedEmbeddingSavedAlone_IsRefused()
    {
        var llama = new SmallLlama();
        TestCheckpoint.Write(
            _folder["m"], llama.Config.Replace("\"vocab_size\"", "\"tie_word_embeddings\": true, \"vocab_size\"", StringComparison.Ordinal),
            llama.Tensors());
        (
            SmallAdapter.Of(llama) with
            {
                Saved = [new TestTensor("base_model.model.model.embed_tokens.weight", "F32", [11, 16], new byte[11 * 16 * 4])],
            }
        ).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Merge("m", "a")).Message.ShouldContain("ties that embedding");
    }

    [Fact]
    public void Merge_FactorsOfAResidualBase_AreRefused()
    {
        var llama = new SmallLlama();
        llama.Write(_folder["m"]);
        (SmallAdapter.Of(llama) with { Edit = json => json["init_lora_weights"] = "pissa" }).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Merge("m", "a")).Message.ShouldContain("init_lora_weights is \"pissa\"");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public void Merge_TooLargeForTheType_IsRefused()
    {
        var llama = new SmallLlama { Dtype = "F16" };
        llama.Write(_folder["m"]);
        (SmallAdapter.Of(llama) with { DeviationOfB = 1e6 }).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Merge("m", "a")).Message.ShouldContain("which F16 does not");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public void Merge_IntoARescaledBase_UndoGivesTheMergedModelInTheOriginalGauge()
    {
        var llama = new SmallLlama();
        llama.Write(_folder["m"]);
        SmallAdapter.Of(llama).Write(_folder["a"]);
        using (var checkpoint = Checkpoint.Open(_folder["m"]))
        using (var adapter = Adapter.Open(_folder["a"]))
        {
            AdapterRescaler.Rescale(
                adapter.Bind(checkpoint), _folder["m2"], _folder["a2"],
                new RescaleOptions { Balance = new(Rounding: Wisca.Transitions.FactorRounding.PowerOfTwo) });
        }

        Merge("m2", "a2", "merged");
        using (var merged = Checkpoint.Open(_folder["merged"])) Undoer.Undo(merged, _folder["back"]);
        Merge("m", "a", "plain");
        var expected = TestCheckpoint.Read(_folder["plain"]);
        TestCheckpoint.Read(_folder["back"]).ShouldAllBe(tensor => tensor.Value.Bytes.SequenceEqual(expected[tensor.Key].Bytes));
    }

    private MergeResult Merge(string model, string adapterName, string output = "out")
    {
        using var checkpoint = Checkpoint.Open(_folder[model]);
        using var adapter = Adapter.Open(_folder[adapterName]);
        return Merger.Merge(adapter.Bind(checkpoint), _folder[output], threads: 2);
    }
}
