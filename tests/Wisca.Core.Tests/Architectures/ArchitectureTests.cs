using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures;

/// <summary>Every family on a tiny random model, against attention computed by the test's own reading of the family.</summary>
public sealed class ArchitectureTests
{
    public static TheoryData<string> Families => TinyFamilies.Names;

    [Theory]
    [MemberData(nameof(Families))]
    public void Inspect_Family_OffersWhatIsExactAndSaysWhyTheRestIsNot(string name)
    {
        using var folder = new TemporaryFolder();
        var family = TinyFamilies.ByName[name];
        using var model = TinyCheckpoint.Create(family, folder["model"]);
        foreach (var layer in Inspector.Inspect(model).Layers)
        {
            if (family.LayersWithoutAttention.Contains(layer.Layer))
            {
                layer.QueryKeyExact.ShouldBeEmpty();
                layer.ValueOutputExact.ShouldBeEmpty();
                layer.Refusals.Values.ShouldAllBe(reason => reason == "the layer has no attention");
                continue;
            }

            Granularity[] queryKey =
            [
                Granularity.Tensor,
                Granularity.KvHead,
                Granularity.Pair,
                .. family.Rotates(layer.Layer) ? Array.Empty<Granularity>() : [Granularity.Channel],
            ];
            Check(layer.QueryKeyExact, queryKey, TransitionKind.QueryKey, family.QueryKeyRefused);
            Check(
                layer.ValueOutputExact, [Granularity.Tensor, Granularity.KvHead, Granularity.Channel], TransitionKind.ValueOutput,
                family.ValueOutputRefused);

            void Check(IEnumerable<Granularity> offered, Granularity[] exact, TransitionKind kind, string? refused)
            {
                offered.ShouldBe(refused is null ? exact : []);
                if (refused is null) layer.Refusals.ShouldNotContainKey(kind);
                else layer.Refusals[kind].ShouldContain(refused);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Rescale_EveryOfferedTransition_KeepsTheFunction(string name)
    {
        var family = TinyFamilies.ByName[name];
        foreach (var dtype in family.ConfigurationOnly ? [Dtype.F64] : (Dtype[])[Dtype.F64, Dtype.F32])
        {
            using var folder = new TemporaryFolder();
            using var model = TinyCheckpoint.Create(family, folder["model"], dtype);
            bool rotates = Enumerable.Range(0, family.Layers).All(family.Rotates);
            Granularity?[] queryKeys = family.QueryKeyRefused is null
                ? [Granularity.Tensor, Granularity.KvHead, Granularity.Pair, rotates ? null : Granularity.Channel] : [null];
            Granularity?[] valueOutputs = family.ValueOutputRefused is null
                ? [Granularity.Tensor, Granularity.KvHead, Granularity.Channel]
                : [null];
            double[][] before = AttentionOracle.Outputs(family, model);
            int combinations = Math.Max(queryKeys.Length, valueOutputs.Length);
            for (int i = family.ConfigurationOnly || dtype == Dtype.F32 ? combinations - 1 : 0; i < combinations; i++)
            {
                foreach (var rounding in (FactorRounding[])[FactorRounding.None, FactorRounding.PowerOfTwo])
                {
                    var options = new RescaleOptions
                    {
                        QueryKey = queryKeys[i % queryKeys.Length],
                        ValueOutput = valueOutputs[i % valueOutputs.Length],
                        Balance = new BalanceOptions(Rounding: rounding),
                        Threads = 1,
                    };
                    if (options.QueryKey is null && options.ValueOutput is null) continue;
                    string output = folder[$"out-{i}-{rounding}"];
                    var move = Rescaler.Rescale(model, output, options).Move!;
                    foreach (var group in move.Groups.GroupBy(group => group.Transition))
                        group.ShouldContain(entry => entry.Factor != 1, $"{name} {group.Key} {options}");

                    using var rescaled = Checkpoint.Open(output);
                    double oracle = AttentionOracle.RelativeError(before, AttentionOracle.Outputs(family, rescaled));
                    var certificate = Certifier.Compare(model, rescaled, threads: 1);
                    string what = $"{name}, {dtype}, {options.QueryKey}, {options.ValueOutput}, {rounding}";
                    certificate.Differences.ShouldBeEmpty(what);
                    certificate.Equivalent.ShouldBeTrue(what);
                    double error = Math.Max(certificate.QueryKeyError, certificate.ValueOutputError);
                    if (rounding == FactorRounding.PowerOfTwo)
                    {
                        oracle.ShouldBe(0, what);
                        error.ShouldBe(0, what);
                    }
                    else
                    {
                        oracle.ShouldBeLessThan(dtype == Dtype.F64 ? 1e-12 : 1e-6, what);
                        error.ShouldBeInRange(double.Epsilon, dtype == Dtype.F64 ? 1e-12 : 4 * Math.ScaleB(1, -24), what);
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Rescale_RefusedTransitionAskedFor_FailsWithTheReason(string name)
    {
        var family = TinyFamilies.ByName[name];
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(family, folder["model"]);
        Refused(family.QueryKeyRefused, new RescaleOptions { QueryKey = Granularity.Tensor, RequireQueryKey = true, ValueOutput = null });
        Refused(
            family.ValueOutputRefused,
            new RescaleOptions
            {
                QueryKey = null,
                ValueOutput = Granularity.Tensor,
                RequireValueOutput = true,
            });
        if (Enumerable.Range(0, family.Layers).Any(family.Rotates) && family.QueryKeyRefused is null)
            Refused("use pair", new RescaleOptions { QueryKey = Granularity.Channel, RequireQueryKey = true, ValueOutput = null });
        Refused(
            "use channel",
            new RescaleOptions
            {
                QueryKey = null,
                ValueOutput = Granularity.Pair,
                RequireValueOutput = true,
            },
            family.ValueOutputRefused);

        void Refused(string? reason, RescaleOptions options, string? earlier = null)
        {
            if ((earlier ?? reason) is not { } expected) return;
            Should.Throw<WiscaException>(() => Rescaler.Rescale(model, folder["out"], options)).Message.ShouldContain(expected);
            Directory.Exists(folder["out"]).ShouldBeFalse();
        }
    }
}
