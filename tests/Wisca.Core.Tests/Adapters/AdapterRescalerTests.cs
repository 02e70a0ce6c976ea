using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Adapters;

public sealed class AdapterRescalerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Granularity.Tensor, Granularity.Tensor, false)]
    [InlineData(Granularity.Pair, Granularity.Channel, false)]
    [InlineData(Granularity.Pair, Granularity.Channel, true)]
    [InlineData(Granularity.KvHead, Granularity.KvHead, true)]
    public void Rescale_BaseAndAdapter_MergedWeightsMoveAsTheBaseDoes(Granularity queryKey, Granularity valueOutput, bool dora)
    {
        Write(dora);
        Rescale(new RescaleOptions { QueryKey = queryKey, ValueOutput = valueOutput });
        var before = DenseModel.Merged(_folder["m"], _folder["a"], 2);
        var after = DenseModel.Merged(_folder["m2"], _folder["a2"], 2);
        var plain = TestCheckpoint.Read(_folder["m"]);
        var moved = TestCheckpoint.Read(_folder["m2"]);
        int changed = 0;
        foreach (string name in before.Keys)
        {
            // The factors of the base, read off its own weights.
            double[][] from = DenseModel.Matrix(plain[name]), to = DenseModel.Matrix(moved[name]);
            bool columns = name.Contains("o_proj", StringComparison.Ordinal);
            double[][] expected =
            [
                .. before[name]
                    .Select(
                        (row, i) => row.Select((value, j) => value * (columns ? to[0][j] / from[0][j] : to[i][0] / from[i][0])).ToArray()),
            ];
            DenseModel.Difference(expected, after[name]).ShouldBeLessThan(1e-12);
            if (DenseModel.Difference(before[name], after[name]) > 0.01) changed++;
        }

        changed.ShouldBe(8);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Undo_OfAdapterMovedByPowersOfTwo_GivesTheBytesBack(bool dora)
    {
        Write(dora, "F32", saved: true);
        Rescale(
            new RescaleOptions
            {
                QueryKey = Granularity.Pair,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
            });
        Ledger.Load(_folder["a2"])!.Moves.ShouldHaveSingleItem().Groups.Count.ShouldBe(Ledger.Load(_folder["m2"])!.Moves[0].Groups.Count);
        UndoResult result;
        using (var adapter = Adapter.Open(_folder["a2"])) result = AdapterRescaler.Undo(adapter, _folder["back"]);
        var before = TestCheckpoint.Read(_folder["a"]);
        foreach (var (name, tensor) in TestCheckpoint.Read(_folder["back"]))
        {
            bool rounded = name.EndsWith("o_proj.lora_magnitude_vector", StringComparison.Ordinal);
            if (rounded)
                ReferenceFloat
                    .Values("F32", tensor.Bytes)
                    .Zip(ReferenceFloat.Values("F32", before[name].Bytes))
                    .ShouldAllBe(pair => Math.Abs(pair.First - pair.Second) < 1e-6);
            else tensor.Bytes.ShouldBe(before[name].Bytes, name);
        }

        result.TrainedTensors.ShouldBeEmpty();
        Ledger.Load(_folder["back"])!.ForOriginal.ShouldBeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Express_ForRescaledAndBack_EqualsMovingBoth(bool dora)
    {
        Write(dora, saved: true);
        Rescale(new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel });
        Express("a", AdapterGauge.Rescaled, "a3");
        ShouldBeClose("a3", "a2");
        Express("a3", AdapterGauge.Original, "a4");
        ShouldBeClose("a4", "a");
        Should.Throw<WiscaException>(() => Express("a3", AdapterGauge.Rescaled, "a5")).Message.ShouldContain("already");
        Should.Throw<WiscaException>(() => Express("a4", AdapterGauge.Original, "a5")).Message.ShouldContain("already");
    }

    [Fact]
    public void Express_BaseWithoutLedger_IsRefused()
    {
        Write(false);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        using var adapter = Adapter.Open(_folder["a"]);
        Should
            .Throw<WiscaException>(() => AdapterRescaler.Express(adapter.Bind(checkpoint), AdapterGauge.Original, _folder["x"]))
            .Message.ShouldContain("wisca.json");
    }

    [Fact]
    public void Merge_AdapterOfAnotherGauge_IsRefused()
    {
        Write(false);
        Rescale(new RescaleOptions());
        Express("a2", AdapterGauge.Original, "a4");
        Should.Throw<WiscaException>(() => Merge("m", "a2")).Message.ShouldContain("expressed for a rescaled base");
        Should.Throw<WiscaException>(() => Merge("m2", "a4")).Message.ShouldContain("expressed for the original base");
        Merge("m2", "a2");
    }

    /// <summary>An adapter that was made for a rescaled base knows the moves since then, which are the last ones of the base.</summary>
    [Fact]
    public void Merge_BaseMovedTwice_TakesTheAdapterOfItsLastMoveOnly()
    {
        Write(false);
        Rescale(new RescaleOptions());
        using (var once = Checkpoint.Open(_folder["m2"]))
        using (var adapter = Adapter.Open(_folder["a"]))
        {
            AdapterRescaler.Rescale(
                adapter.Bind(once), _folder["m3"], _folder["a3"],
                new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel });
        }

        Ledger.Load(_folder["m3"])!.Moves.Count.ShouldBe(2);
        Ledger.Load(_folder["a3"])!.Moves.Count.ShouldBe(1);
        Merge("m3", "a3");
        Should.Throw<WiscaException>(() => Merge("m3", "a2")).Message.ShouldContain("tell of different moves");
    }

    [Fact]
    public void Balance_OfAMovedAdapter_KeepsItsLedgerAndStillComesBack()
    {
        Write(false);
        Rescale(new RescaleOptions());
        using (var adapter = Adapter.Open(_folder["a2"])) FactorBalancer.Balance(adapter, _folder["a3"], new AdapterBalanceOptions());
        using (var adapter = Adapter.Open(_folder["a3"])) AdapterRescaler.Undo(adapter, _folder["a4"]).TrainedTensors.Length.ShouldBe(8);
        var expected = DenseModel.Merged(_folder["m"], _folder["a"], 2);
        foreach (var (name, matrix) in DenseModel.Merged(_folder["m"], _folder["a4"], 2))
            DenseModel.Difference(expected[name], matrix).ShouldBeLessThan(1e-12);
    }

    [Fact]
    public void Rescale_SameOutputTwice_IsRefused()
    {
        Write(false);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        using var adapter = Adapter.Open(_folder["a"]);
        Should
            .Throw<WiscaException>(() =>
                AdapterRescaler.Rescale(adapter.Bind(checkpoint), _folder["o"], _folder["o"], new RescaleOptions()))
            .Message.ShouldContain("both be written");
    }

    private void Write(bool dora, string dtype = "F64", bool saved = false)
    {
        var llama = new SmallLlama { Dtype = dtype, Layers = 2, Biases = true, Shards = 2 };
        llama.Write(_folder["m"]);
        var bias = llama.Tensors().Single(tensor => tensor.Name == "model.layers.1.self_attn.k_proj.bias");
        (SmallAdapter.Of(llama) with
        {
            Dtype = dtype,
            Dora = dora,
            Saved = saved ? [bias with { Name = "base_model.model.model.layers.1.self_attn.k_proj.base_layer.bias" }] : [],
            Edit = json => json["bias"] = saved ? "all" : "none",
        }).Write(_folder["a"]);
    }

    private void Rescale(RescaleOptions options)
    {
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        using var adapter = Adapter.Open(_folder["a"]);
        AdapterRescaler.Rescale(adapter.Bind(checkpoint), _folder["m2"], _folder["a2"], options);
    }

    private void Express(string name, AdapterGauge target, string output)
    {
        using var checkpoint = Checkpoint.Open(_folder["m2"]);
        using var adapter = Adapter.Open(_folder[name]);
        AdapterRescaler.Express(adapter.Bind(checkpoint), target, _folder[output]);
    }

    private void Merge(string model, string name)
    {
        using var checkpoint = Checkpoint.Open(_folder[model]);
        using var adapter = Adapter.Open(_folder[name]);
        Merger.Merge(adapter.Bind(checkpoint), _folder["merged"], force: true);
    }

    private void ShouldBeClose(string actual, string expected)
    {
        var right = TestCheckpoint.Read(_folder[expected]);
        foreach (var (name, tensor) in TestCheckpoint.Read(_folder[actual]))
            ReferenceFloat
                .Values(tensor.Dtype, tensor.Bytes)
                .Zip(ReferenceFloat.Values(tensor.Dtype, right[name].Bytes))
                .ShouldAllBe(pair => Math.Abs(pair.First - pair.Second) <= 1e-12 * Math.Max(1, Math.Abs(pair.Second)), name);
    }
}
