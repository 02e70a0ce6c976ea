using System.Collections.Immutable;
using System.Text.Json;
using Wisca.Attention;
using Wisca.Checkpoints;

namespace Wisca.Torch.Models;

/// <summary>Reads how RoPE is stretched, by the keys and formulas of transformers' modeling_rope_utils.</summary>
/// <param name="reader">The configuration.</param>
/// <param name="config">The same.</param>
/// <param name="section">The section that says it, which may be absent.</param>
/// <param name="type">The section's rope_type.</param>
/// <param name="positionsWhereAbsent">The longest sequence where none is stated.</param>
/// <param name="originalWhereAbsent">The longest sequence before it was stretched, where the family has a number for that.</param>
internal sealed class RopeReader(
    ConfigReader reader, ModelConfig config, string section, string type, int positionsWhereAbsent, int? originalWhereAbsent)
{
    private const string OriginalKey = "original_max_position_embeddings";

    private int Positions => reader.FindSize("max_position_embeddings") ?? positionsWhereAbsent;

    public RopeConfig Read(RopePairs pairs, int dims, double theta)
    {
        var plain = new RopeConfig(pairs, RopeConfig.Unscaled(dims, theta));
        return type switch
        {
            "default" => plain,
            "linear" => Linear(plain),
            "dynamic" => Dynamic(plain),
            "llama3" => Llama3(plain),
            "yarn" => Yarn(plain, dims, theta),
            "longrope" => LongRope(plain),
            _ => throw reader.Unsupported(
                $"{section}.rope_type is '{type}'",
                "supported are default, linear, dynamic, llama3, yarn and longrope, and mrope for text"),
        };
    }

    private RopeConfig Linear(RopeConfig plain)
    {
        double factor = Number("factor");
        return plain with { Frequencies = [.. plain.Frequencies.Select(frequency => frequency / factor)] };
    }

    private RopeConfig Dynamic(RopeConfig plain)
    {
        double factor = Number("factor");
        return plain.Frequencies.Length > 1
            ? plain with { Limit = Positions, DynamicFactor = factor }
            : throw reader.Wrong($"{section}.rope_type is dynamic, but one pair of channels rotates", "it stretches two and more");
    }

    private RopeConfig Llama3(RopeConfig plain)
    {
        double factor = Number("factor"), low = Number("low_freq_factor"), high = Number("high_freq_factor");
        if (high <= low)
            throw reader.Wrong(
                $"{section}.high_freq_factor is {high}, expected more than low_freq_factor, {low}", "mend the configuration");
        int context = OriginalPositions() ?? throw Missing(OriginalKey);
        return plain with
        {
            Frequencies = [.. plain.Frequencies.Select(frequency => RopeConfig.ScaleLlama3(frequency, factor, low, high, context))],
        };
    }

    private RopeConfig Yarn(RopeConfig plain, int dims, double theta)
    {
        int context = OriginalPositions() ?? Positions;
        double factor = FindNumber("factor") ?? (double)Positions / context;
        double? scale = config.FindNumber($"{section}.mscale"), scaleOfAll = config.FindNumber($"{section}.mscale_all_dim");
        double usual = scale is null or 0 || scaleOfAll is null or 0
            ? RopeConfig.YarnMagnitude(factor)
            : RopeConfig.YarnMagnitude(factor, scale.Value) / RopeConfig.YarnMagnitude(factor, scaleOfAll.Value);
        return plain with
        {
            Frequencies = RopeConfig.ScaleYarn(
                dims, theta, factor, context, FindNumber("beta_fast") ?? 32, FindNumber("beta_slow") ?? 1,
                reader.FlagOr($"{section}.truncate", true)),
            Magnitude = FindNumber("attention_factor") ?? usual,
        };
    }

    private RopeConfig LongRope(RopeConfig plain)
    {
        int context = OriginalPositions() ?? Positions;
        double factor = FindNumber("factor") ?? (double)Positions / context;
        double usual = factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(context)));
        return plain with
        {
            Frequencies = Stretched("short_factor"),
            LongFrequencies = Stretched("long_factor"),
            Limit = context,
            Magnitude = FindNumber("attention_factor") ?? usual,
        };

        ImmutableArray<double> Stretched(string key) =>
            [.. plain.Frequencies.Zip(Numbers(key, plain.Frequencies.Length), (frequency, by) => frequency / by)];
    }

    /// <summary>The longest sequence before it was stretched. A family that has a number for it looks at the top level only.</summary>
    private int? OriginalPositions()
    {
        int? stated = reader.FindSize([OriginalKey, $"{section}.{OriginalKey}"]);
        if (originalWhereAbsent is { } usual && stated is not null && stated != usual && config.Find(OriginalKey) is null)
            throw reader.Wrong(
                $"{section}.{OriginalKey} is {stated}, but {OriginalKey}, which rules, is not stated and {usual} then",
                $"state {OriginalKey} outside of {section}");
        return stated ?? originalWhereAbsent;
    }

    private double? FindNumber(string key) => reader.FindPositive($"{section}.{key}");

    private double Number(string key) => FindNumber(key) ?? throw Missing(key);

    private double[] Numbers(string key, int count)
    {
        if (config.Find($"{section}.{key}") is not { } list) throw Missing(key);
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != count)
            throw reader.Wrong($"{section}.{key} is not a list of {count} numbers", "it needs one for each pair of rotated channels");
        return
        [
            .. list.EnumerateArray()
                .Select((entry, index) => entry.ValueKind == JsonValueKind.Number && entry.TryGetDouble(out double number) && number > 0
                    ? number
                    : throw reader.Wrong(
                        $"{section}.{key}[{index}] is {entry.GetRawText()}, expected a positive number", "mend the configuration")),
        ];
    }

    private WiscaException Missing(string key) => reader.Wrong($"no {section}.{key}", $"rope_type {type} needs it");
}
