using System.Runtime.InteropServices;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Certificates;

/// <summary>Faults that are smaller than an element's rounding and the same in many, and right models close to them.</summary>
public sealed class SystematicFaultTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj.weight";

    private const string Value = "model.layers.1.self_attn.v_proj.weight";

    private static readonly SmallLlama Small = new() { Hidden = 64, HeadDim = 16 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, Granularity, Granularity> Moves()
    {
        var moves = new TheoryData<string, Granularity, Granularity>();
        foreach (string dtype in (string[])["F32", "BF16", "F16"])
        {
            moves.Add(dtype, Granularity.Tensor, Granularity.Tensor);
            moves.Add(dtype, Granularity.KvHead, Granularity.KvHead);
            moves.Add(dtype, Granularity.Pair, Granularity.Channel);
        }

        return moves;
    }

    /// <summary>Rescaled once, twice and back, by factors far from 1 and by ones close to it.</summary>
    [Theory]
    [MemberData(nameof(Moves))]
    public void Compare_RightRescalings_AreEquivalent(string dtype, Granularity queryKey, Granularity valueOutput)
    {
        for (int seed = 0; seed < 6; seed++)
        {
            // The sides differ by up to 20 percent, where rounding by the factor goes one way for most elements, or by a multiple.
            double ratio = seed < 4 ? 1 + (0.02 * seed * seed) : 3.7;
            string start = _folder[$"{seed}"];
            var family = Small with { Dtype = dtype, Seed = seed + 10, Deviation = (role, _) => role is "q" or "v" ? 0.05 * ratio : 0.05 };
            family.Write(start);
            using var model = Checkpoint.Open(start);
            foreach (var rounding in (FactorRounding[])[FactorRounding.None, FactorRounding.PowerOfTwo])
            {
                string once = _folder[$"{seed}-{rounding}-once"], twice = once + "-twice";
                var options = new RescaleOptions
                {
                    QueryKey = queryKey,
                    ValueOutput = valueOutput,
                    Balance = new BalanceOptions(Rounding: rounding),
                };
                Rescaler.Rescale(model, once, options);
                using var moved = Checkpoint.Open(once);
                Rescaler.Rescale(
                    moved, twice, options with { Balance = new BalanceOptions(Criterion.L1Mean, FactorRounding.None) });
                using var again = Checkpoint.Open(twice);
                Undoer.Undo(moved, once + "-undone");
                Undoer.Undo(again, twice + "-undone");
                using Checkpoint undone = Checkpoint.Open(once + "-undone"), undoneTwice = Checkpoint.Open(twice + "-undone");
                foreach (var other in (Checkpoint[])[moved, again, undone, undoneTwice])
                {
                    foreach (var (a, b) in ((Checkpoint, Checkpoint)[])[(model, other), (other, model), (again, other)])
                    {
                        var report = Certifier.Compare(a, b);
                        report.Differences.ShouldBeEmpty($"seed {seed}, {rounding}: {a.Folder} and {b.Folder}");
                        report.Equivalent.ShouldBeTrue();
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData("BF16", Query, 1.01, 64)]
    [InlineData("BF16", Query, 1.003, 64)]
    [InlineData("BF16", Query, 0.99, 64)]
    [InlineData("BF16", Value, 1.01, 32)]
    [InlineData("BF16", Value, 1.003, 32)]
    [InlineData("F16", Query, 1.0005, 64)]
    public void Compare_ProjectionTimesAFactorNearOne_IsNamed(string dtype, string tensor, double factor, int rows) =>
        ShouldBeNamed(dtype, tensor, (_, _) => factor, rows, tensor == Query ? "layer 0: the q.k factors" : "layer 1: the V-O factors");

    [Theory]
    [InlineData(Query, 64)]
    [InlineData(Value, 32)]
    public void Compare_OneHeadTimesAFactorNearOne_IsNamed(string tensor, int rows) =>
        ShouldBeNamed("BF16", tensor, (row, _) => row / 16 == 1 ? 1.01 : 1, rows, "of kv head ");

    /// <summary>
    /// The sum of two matrices that all but cancel in places, and the sum of their multiples: there each has the rounding of its parts.
    /// </summary>
    [Fact]
    public void Compare_SumsWhoseElementsCancel_AreEquivalent()
    {
        const double s = 1.4617512;
        var random = new Random(4);
        var first = Small.Tensors();
        var second = new List<TestTensor>();
        for (int i = 0; i < first.Count; i++)
        {
            var tensor = first[i];
            float[] values = MemoryMarshal.Cast<byte, float>(tensor.Bytes).ToArray();
            if (tensor.Name == Query)
            {
                float[] added = [.. values.Select(_ => (float)(0.3 * SmallLlama.Normal(random)))];
                float[] scaled = [.. values.Zip(added, (x, y) => (float)((double)(float)(s * x) + (float)(s * y)))];
                second.Add(tensor with { Bytes = MemoryMarshal.AsBytes<float>(scaled).ToArray() });
                float[] sum = [.. values.Zip(added, (x, y) => (float)((double)x + y))];
                first[i] = tensor with { Bytes = MemoryMarshal.AsBytes<float>(sum).ToArray() };
            }
            else if (tensor.Name == Query.Replace("q_proj", "k_proj", StringComparison.Ordinal))
            {
                second.Add(tensor with { Bytes = MemoryMarshal.AsBytes<float>([.. values.Select(x => (float)(x / s))]).ToArray() });
            }
            else
            {
                second.Add(tensor);
            }
        }

        Small.Write(_folder["first"], first);
        Small.Write(_folder["second"], second);
        using Checkpoint a = Checkpoint.Open(_folder["first"]), b = Checkpoint.Open(_folder["second"]);
        Certifier.Compare(a, b).Differences.ShouldBeEmpty();
        Certifier.Compare(b, a).Differences.ShouldBeEmpty();

        // An element that is off by as little as ten units of its row is named, with numbers that can be told apart.
        WeightEditor.Copy(b.Folder, _folder["off"]);
        WeightEditor.Edit(_folder["off"], Query, bytes => MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[5] += 10 * 0.6f / (1 << 23));
        using var off = Checkpoint.Open(_folder["off"]);
        string line = Certifier.Compare(a, off).Differences.ShouldHaveSingleItem();
        line.ShouldStartWith($"tensor '{Query}' at [0, 5] is ");
        line.ShouldContain(": a difference of ");
        string[] words = line.Split(' ');
        words[Array.IndexOf(words, "is") + 1].ShouldNotBe(words[Array.IndexOf(words, "has") + 1].TrimEnd(':'));
    }

    private void ShouldBeNamed(string dtype, string tensor, Func<int, int, double> factor, int rows, string line)
    {
        for (int seed = 0; seed < 4; seed++)
        {
            string start = _folder[$"{seed}"], moved = _folder[$"{seed}-moved"], wrong = _folder[$"{seed}-wrong"];
            (Small with { Dtype = dtype, Seed = seed }).Write(start);
            using var model = Checkpoint.Open(start);
            Rescaler.Rescale(
                model,
                moved,
                new RescaleOptions
                {
                    QueryKey = Granularity.Pair,
                    ValueOutput = Granularity.Channel,
                    Balance = new BalanceOptions(Rounding: FactorRounding.None),
                });
            WeightEditor.Copy(moved, wrong);
            WeightEditor.Edit(wrong, tensor, bytes =>
            {
                double[] values = ReferenceFloat.Values(dtype, bytes);
                for (int i = 0; i < values.Length; i++) values[i] *= factor(i / (values.Length / rows), i % (values.Length / rows));
                ReferenceFloat.Bytes(dtype, values).CopyTo(bytes, 0);
            });
            using var off = Checkpoint.Open(wrong);
            var report = Certifier.Compare(model, off);
            report.Equivalent.ShouldBeFalse($"seed {seed}");
            report.Differences.ShouldContain(difference => difference.Contains(line, StringComparison.Ordinal));
        }
    }
}
