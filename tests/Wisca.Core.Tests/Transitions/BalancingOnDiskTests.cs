using System.Runtime.InteropServices;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Core.Tests.Architectures;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

/// <summary>After a rescaling on disk the norms, measured by the test's own code, are what the criterion says.</summary>
public sealed class BalancingOnDiskTests
{
    public static TheoryData<Criterion> Criteria => [.. Enum.GetValues<Criterion>().Where(criterion => criterion != Criterion.Fisher)];

    [Theory]
    [MemberData(nameof(Criteria))]
    public void Rescale_ExactFactors_MakeTheNormsEqualAndKeepTheirProduct(Criterion criterion)
    {
        var family = TinyFamilies.ByName["llama, biases"] with { KvHeads = 2, Config = TinyFamilies.ByName["llama"].Config };
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(family, folder["model"], Dtype.F32);
        var combinations = ((Granularity, Granularity)[])
            [(Granularity.Tensor, Granularity.Tensor), (Granularity.KvHead, Granularity.KvHead), (Granularity.Pair, Granularity.Channel)];
        foreach (var (queryKey, valueOutput) in combinations)
        {
            string output = folder[$"{queryKey}"];
            var options = new RescaleOptions { QueryKey = queryKey, ValueOutput = valueOutput, Balance = new BalanceOptions(criterion) };
            var move = Rescaler.Rescale(model, output, options).Move!;
            using var rescaled = Checkpoint.Open(output);
            for (int layer = 0; layer < family.Layers; layer++)
            {
                foreach (var (kind, granularity) in ((TransitionKind, Granularity)[])[(TransitionKind.QueryKey, queryKey),
                    (TransitionKind.ValueOutput, valueOutput)])
                {
                    var groups = move.Groups.Where(group => group.Layer == layer && group.Transition == kind).ToList();
                    groups.Count.ShouldBe(
                        granularity switch
                        {
                            Granularity.Tensor => 1,
                            Granularity.KvHead => 2,
                            Granularity.Pair => 4,
                            _ => 8,
                        });
                    foreach (var group in groups)
                    {
                        var (m0, d0) = Norms(family, model, layer, kind, group, criterion);
                        var (m1, d1) = Norms(family, rescaled, layer, kind, group, criterion);
                        group.NormsBefore[0].ShouldBe(m0, 1e-9 * m0);
                        group.NormsBefore[1].ShouldBe(d0, 1e-9 * d0);
                        group.NormsAfter[0].ShouldBe(m1, 1e-9 * m1);
                        group.Factor.ShouldBe(Math.Sqrt(d0 / m0), 1e-9);
                        m1.ShouldBe(d1, 1e-6 * d1);
                        (m1 * d1).ShouldBe(m0 * d0, 1e-6 * m0 * d0);
                    }
                }
            }

            // Once more: nothing is left to do.
            Rescaler.DryRun(rescaled, options).Solution.Groups.ShouldAllBe(entry => Math.Abs(entry.Balance.Factor - 1) < 1e-6);
        }
    }

    [Fact]
    public void Rescale_Biases_FollowTheirRowsAndTheOutputBiasStays()
    {
        var family = TinyFamilies.ByName["llama, biases"];
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(family, folder["model"]);
        Rescaler.Rescale(model, folder["out"], new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel });
        using var rescaled = Checkpoint.Open(folder["out"]);
        foreach (string projection in (string[])[family.Q, family.K, family.V])
        {
            double[] weight = Read(model, projection + ".weight"), bias = Read(model, projection + ".bias");
            double[] newWeight = Read(rescaled, projection + ".weight"), newBias = Read(rescaled, projection + ".bias");
            newBias.ShouldNotBe(bias);
            for (int row = 0; row < bias.Length; row++) (newBias[row] / bias[row]).ShouldBe(newWeight[row * 16] / weight[row * 16], 1e-12);
        }

        Read(rescaled, family.O + ".bias").ShouldBe(Read(model, family.O + ".bias"));

        static double[] Read(Checkpoint checkpoint, string name)
        {
            var tensor = checkpoint.Find("model.layers.0." + name)!;
            return MemoryMarshal.Cast<byte, double>(tensor.Bytes(0, (int)tensor.Info.ByteLength)).ToArray();
        }
    }

    /// <summary>The norms of a group's two sides from the test's own rows: kv head, and channel or half-split pair.</summary>
    private static (double Multiplied, double Divided) Norms(TinyFamily family, Checkpoint checkpoint, int layer, TransitionKind kind,
        LedgerGroup group, Criterion criterion)
    {
        int d = family.HeadDim, sharing = family.Heads / family.KvHeads;
        int[] kvHeads = group.KvHead is { } one ? [one] : [.. Enumerable.Range(0, family.KvHeads)];
        int[] channels = group.Channel is not { } channel ? [.. Enumerable.Range(0, d)] : kind == TransitionKind.QueryKey
            ? [channel, channel + (d / 2)] : [channel];
        double[][] shared = Lines(kind == TransitionKind.QueryKey ? family.K : family.V, kvHeads, byRow: true);
        double[][] own = Lines(kind == TransitionKind.QueryKey ? family.Q
            : family.O, [.. kvHeads.SelectMany(head => Enumerable.Range(head * sharing, sharing))], byRow: kind == TransitionKind.QueryKey);
        return kind == TransitionKind.QueryKey
            ? (Norm(own, criterion), Norm(shared, criterion))
            : (Norm(shared, criterion), Norm(own, criterion));

        double[][] Lines(string module, int[] heads, bool byRow)
        {
            var tensor = checkpoint.Find($"{family.LayerName(layer)}{module}.weight")!;
            var values = MemoryMarshal.Cast<byte, float>(tensor.Bytes(0, (int)tensor.Info.ByteLength)).ToArray();
            int columns = (int)tensor.Info.Shape[1], rows = (int)tensor.Info.Shape[0];
            return
            [
                .. from head in heads
                   from c in channels
                   let index = (head * d) + c
                   select (byRow ? Enumerable.Range(0, columns).Select(column => (double)values[(index * columns) + column])
                       : Enumerable.Range(0, rows).Select(row => (double)values[(row * columns) + index])).ToArray(),
            ];
        }
    }

    private static double Norm(double[][] lines, Criterion criterion)
    {
        double[] all = [.. lines.SelectMany(line => line)];
        return criterion switch
        {
            Criterion.L1 => all.Sum(Math.Abs),
            Criterion.L1Mean => all.Average(Math.Abs),
            Criterion.L2 => Math.Sqrt(all.Sum(value => value * value)),
            Criterion.Rms => Math.Sqrt(all.Average(value => value * value)),
            _ => Math.Sqrt(
                LargestEigenvalue([.. lines.Select(left => lines.Select(right => left.Zip(right, (l, r) => l * r).Sum()).ToArray())])),
        };
    }

    /// <summary>By Jacobi's rotations, which have nothing in common with power iteration.</summary>
    private static double LargestEigenvalue(double[][] matrix)
    {
        int n = matrix.Length;
        for (int sweep = 0; sweep < 60; sweep++)
        {
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++)
                {
                    if (matrix[p][q] == 0) continue;
                    double theta = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q]);
                    double t = (theta < 0 ? -1 : 1) / (Math.Abs(theta) + Math.Sqrt((theta * theta) + 1));
                    double c = 1 / Math.Sqrt((t * t) + 1), s = t * c;
                    for (int k = 0; k < n; k++)
                        (matrix[k][p], matrix[k][q]) = ((c * matrix[k][p]) - (s * matrix[k][q]), (s * matrix[k][p]) + (c * matrix[k][q]));
                    for (int k = 0; k < n; k++)
                        (matrix[p][k], matrix[q][k]) = ((c * matrix[p][k]) - (s * matrix[q][k]), (s * matrix[p][k]) + (c * matrix[q][k]));
                }
            }
        }

        return Enumerable.Range(0, n).Max(i => matrix[i][i]);
    }
}
