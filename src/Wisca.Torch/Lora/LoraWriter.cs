using Wisca.Adapters;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Lora;

/// <summary>Writes an attached adapter as PEFT's folder.</summary>
internal sealed class LoraWriter(LoraModel lora, LoraSaveOptions options)
{
    public void Write(string folder)
    {
        if (!options.Dtype.IsRescalable())
            throw new WiscaException($"an adapter cannot be saved as {options.Dtype}", "choose F32, BF16, F16 or F64");
        if (options is { Rotated: not null, Gauge: not AdapterGauge.Original })
            throw new WiscaException(
                "an adapter of a base that is rotated while it trains is saved for the original base only",
                "save it for the original base");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        bool doubled = lora.Layers.Any(layer => layer.Initial is not null);
        var config = doubled ? lora.Config.Doubled() : lora.Config;
        var moved = Factors();
        var tensors = Tensors(options.Gauge == AdapterGauge.Original ? Inverse(moved) : []);
        using var output = OutputFolder.Prepare(folder, tensors.Sum(entry => entry.Tensor.numel() * options.Dtype.Bits() / 8) + (1 << 16));
        var header = SafetensorsHeader.Create(
            tensors.Select(entry => (Adapter.Prefix + entry.Name, options.Dtype, entry.Tensor.shape)),
            new Dictionary<string, string> { ["format"] = "pt" });
        using (var writer = new SafetensorsWriter(Path.Combine(output.Staging, Adapter.WeightsName), header))
        {
            foreach (var (_, tensor) in tensors)
            {
                using var step = NewDisposeScope();
                writer.Write(tensor.to(options.Dtype.ToScalarType()).cpu().contiguous().bytes);
            }

            writer.Complete();
        }

        output.Commit(() =>
        {
            config.Save(output.Staging);
            WriteLedger(output.Staging, moved);
        });
    }

    /// <summary>What the base's transitions have done to each tensor of the adapter so far.</summary>
    private Dictionary<string, AxisFactors> Factors()
    {
        if (options.Transitions is not { } transitions) return [];
        var lengths = lora.AllParameters.ToDictionary(entry => entry.Name, entry => entry.Parameter.shape, StringComparer.Ordinal);
        var factors = transitions.Factors(
            (tensor, axis) => (int)(lengths[tensor].Length == 1 ? lengths[tensor][0] : lengths[tensor][axis]));

        // The base stands where the transitions have brought it: magnitudes are measured from there, on the way back.
        var back = Inverse(lora.Follow(Inverse(factors)));
        foreach (var (tensor, _) in lora.Saved)
        {
            if (factors.TryGetValue(tensor, out var own)) back.Add(tensor, own);
        }

        return back;
    }

    private List<(string Name, Tensor Tensor)> Tensors(Dictionary<string, AxisFactors> factors)
    {
        var tensors = new List<(string, Tensor)>();
        foreach (var layer in lora.Layers)
        {
            string a = $"{layer.Name}.lora_A.weight", b = $"{layer.Name}.lora_B.weight", magnitude = $"{layer.Name}.lora_magnitude_vector";
            Tensor valuesA = layer.A, valuesB = layer.B;
            if (layer.Initial is { } initial) (valuesA, valuesB) = (cat([valuesA, initial.A], 0), cat([valuesB, -initial.B], 1));
            tensors.Add((a, Scaled(a, valuesA)));
            tensors.Add((b, Scaled(b, valuesB)));
            if (layer.Magnitude is not null) tensors.Add((magnitude, Scaled(magnitude, Straight(layer, a))));
        }

        return [.. tensors, .. lora.Saved.Select(entry => (entry.Name, Scaled(entry.Name, entry.Parameter)))];

        Tensor Scaled(string name, Tensor values)
        {
            values = options.Rotated?.Back(name, values) ?? values;
            if (!factors.TryGetValue(name, out var along)) return values;
            var scaled = values.to(ScalarType.Float64, copy: true);
            StateTransport.Scale(new StateTensor(name, scaled, 1), along);
            return scaled;
        }
    }

    /// <summary>Magnitudes for the rows as they were before the rotations of the base.</summary>
    private Tensor Straight(LowRankLayer layer, string a)
    {
        if (options.Rotated?.ChangesLengths(a) != true) return layer.Magnitude!;
        var merged = LoraModel.Merged(layer, layer.A, layer.B);
        return layer.Magnitude!.to(ScalarType.Float64)
            * (linalg.norm(options.Rotated.Back(a, merged), 2, [1], false) / linalg.norm(merged, 2, [1], false)).nan_to_num(1);
    }

    /// <summary>The ledger by which the adapter is taken back, and known for what it is expressed for.</summary>
    private void WriteLedger(string staging, Dictionary<string, AxisFactors> moved)
    {
        if (options.Gauge == AdapterGauge.Original || moved.Count == 0)
        {
            if (options.LoadedBaseIsOriginal) new Ledger(Ledger.CurrentVersion, [], [], ForOriginal: true).Save(staging);
            return;
        }

        var transitions = options.Transitions!;
        using var adapter = Adapter.Open(staging);
        var digests = moved.ToDictionary(
            entry => Adapter.Prefix + entry.Key,
            entry => TrainedMove.Digests(adapter.Find(Adapter.Prefix + entry.Key)!, entry.Value),
            StringComparer.Ordinal);
        var balance = transitions.Plan.Options.Balance;
        var groups = transitions.Plan.Exchanges.Zip(transitions.Balances).SelectMany(entry =>
            LedgerGroup.Of(
                entry.First, entry.Second,
                (
                    [.. entry.Second.Select(group => group.MultipliedNorm * group.Factor)],
                    [.. entry.Second.Select(group => group.DividedNorm / Math.Pow(group.Factor, entry.First.Degree))]),
                balance.Criterion)).Select(recorded => recorded with { Slices = [.. recorded.Slices.SelectMany(Map)] });
        var vectors = lora
            .Layers.Where(layer =>
                layer.Magnitude is not null
                && moved.ContainsKey($"{layer.Name}.lora_magnitude_vector")
                && moved.ContainsKey($"{layer.Name}.lora_A.weight"))
            .Select(layer => $"{layer.Name}.lora_magnitude_vector")
            .Select(name => LedgerVector.Of(Adapter.Prefix + name, Lengths(moved, name)))
            .ToList();
        var move = new LedgerMove(
            balance.Criterion,
            balance.Rounding,
            balance.MaxLog2,
            [.. groups],
            new SortedDictionary<string, TensorDigests>(digests, StringComparer.Ordinal),
            [],
            InTraining: true,
            vectors.Count > 0 ? vectors : null);
        new Ledger(Ledger.CurrentVersion, [move], []).Save(staging);
    }

    /// <summary>What of a magnitude's factors the columns alone are the cause of: those of its rows are told by the groups.</summary>
    private static double[] Lengths(Dictionary<string, AxisFactors> moved, string magnitude)
    {
        double[] all = moved[magnitude].Rows!;
        string b = string.Concat(magnitude.AsSpan(0, magnitude.Length - "lora_magnitude_vector".Length), "lora_B.weight");
        return moved.TryGetValue(b, out var rows) ? [.. all.Zip(rows.Rows!, (length, factor) => length / factor)] : all;
    }

    private IEnumerable<LedgerSlice> Map(LedgerSlice slice)
    {
        foreach (var layer in lora.Layers.Where(layer => layer.Name + ".weight" == slice.Tensor))
        {
            bool rows = LoraModel.IsOutput(layer, slice.Axis);
            yield return slice with { Tensor = $"{Adapter.Prefix}{layer.Name}.{(rows ? "lora_B" : "lora_A")}.weight", Axis = rows ? 0 : 1 };
            if (rows && layer.Magnitude is not null)
                yield return slice with
                {
                    Tensor = $"{Adapter.Prefix}{layer.Name}.lora_magnitude_vector",
                    Axis = 0,
                };
        }

        foreach (var (name, _) in lora.Saved.Where(entry => entry.Name == slice.Tensor))
            yield return slice with
            {
                Tensor = Adapter.Prefix + name,
            };
    }

    private static Dictionary<string, AxisFactors> Inverse(IReadOnlyDictionary<string, AxisFactors> factors) =>
        factors.ToDictionary(
            entry => entry.Key,
            entry => entry.Value.Inverse(),
            StringComparer.Ordinal);
}
