using CsCheck;
using Wisca.Adapters;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Adapters;

public sealed class FactorBalancerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(FactorGranularity.Tensor)]
    [InlineData(FactorGranularity.Rank)]
    [InlineData(FactorGranularity.General)]
    public void Balance_Float64_BalancesAndKeepsTheProduct(FactorGranularity granularity)
    {
        Adapter("F64").Write(_folder["a"]);
        var modules = Balance(new AdapterBalanceOptions { Granularity = granularity });
        modules.ShouldAllBe(module => module.Outcome == GroupOutcome.Scaled && module.Note == null);
        foreach (var ((b, a), product, original) in Factors("out").Zip(Products("out"), Products("a")))
        {
            DenseModel.Difference(original, product).ShouldBeLessThan(1e-13);
            double[][] aat = Gram(a), btb = Gram(DenseModel.Transpose(b));
            double normA = Math.Sqrt(Trace(aat)), normB = Math.Sqrt(Trace(btb));
            normB.ShouldBe(normA, 1e-6 * normA);
            if (granularity != FactorGranularity.Tensor)
                for (int k = 0; k < aat.Length; k++) btb[k][k].ShouldBe(aat[k][k], 1e-6 * aat[k][k]);
            if (granularity == FactorGranularity.General) DenseModel.Difference(aat, btb).ShouldBeLessThan(1e-6);
        }
    }

    [Fact]
    public void Balance_General_ReachesTwiceTheNuclearNorm()
    {
        Adapter("F64").Write(_folder["a"]);
        Balance(new AdapterBalanceOptions());
        foreach (var ((b, a), product) in Factors("out").Zip(Products("out")))
        {
            // The singular values of B A are the roots of the eigenvalues of (B A)^T (B A),
            // of which the trace of the root is asked: |A|^2 + |B|^2 = 2 sum.
            double energy = a.Concat(b).SelectMany(row => row).Sum(x => x * x);
            double nuclear = Wisca.Numerics.SymmetricEigen.Of(ToSquare(Gram(product))).Values.Sum(value => Math.Sqrt(Math.Max(0, value)));
            energy.ShouldBe(2 * nuclear, 1e-6 * energy);
        }
    }

    [Theory]
    [InlineData("F32", FactorGranularity.Tensor)]
    [InlineData("F32", FactorGranularity.Rank)]
    [InlineData("BF16", FactorGranularity.Rank)]
    public void Balance_PowersOfTwo_ChangeNoBitOfTheProduct(string dtype, FactorGranularity granularity)
    {
        Adapter(dtype).Write(_folder["a"]);
        Balance(
                new AdapterBalanceOptions
                {
                    Granularity = granularity,
                    Balance = new BalanceOptions(Criterion.L2, FactorRounding.PowerOfTwo),
                })
            .ShouldAllBe(module => module.NormsAfter.B / module.NormsAfter.A < 2.01 && module.NormsAfter.B / module.NormsAfter.A > 0.49);
        foreach (var (before, after) in Products("a").Zip(Products("out")))
            after.SelectMany(row => row).ShouldBe(before.SelectMany(row => row));
    }

    [Fact]
    public void Balance_RankDeficientB_KeepsTheProductAndSaysSo()
    {
        var adapter = Adapter("F64");
        var tensors = adapter.Tensors();
        for (int i = 0; i < tensors.Count; i++)
        {
            if (!tensors[i].Name.EndsWith("lora_B.weight", StringComparison.Ordinal)) continue;
            double[] values = ReferenceFloat.Values("F64", tensors[i].Bytes);
            for (int row = 0; row < values.Length; row += 3) values[row + 2] = values[row];
            tensors[i] = tensors[i] with { Bytes = ReferenceFloat.Bytes("F64", values) };
        }

        adapter.Write(_folder["a"], tensors);
        Balance(new AdapterBalanceOptions())
            .ShouldAllBe(module => module.Note!.Contains("full rank") && module.ImbalanceAfter < module.ImbalanceBefore);
        foreach (var (before, after) in Products("a").Zip(Products("out"))) DenseModel.Difference(before, after).ShouldBeLessThan(1e-12);
    }

    [Theory]
    [InlineData(FactorGranularity.Tensor)]
    [InlineData(FactorGranularity.General)]
    public void Balance_ZeroB_IsRefused(FactorGranularity granularity)
    {
        (Adapter("F32") with { DeviationOfB = 0 }).Write(_folder["a"]);
        Should
            .Throw<WiscaException>(() => Balance(new AdapterBalanceOptions { Granularity = granularity }))
            .Message.ShouldContain("one side is all zeros");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public void Balance_NaN_IsRefused()
    {
        (Adapter("F32") with { DeviationOfB = double.NaN }).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Balance(new AdapterBalanceOptions())).Message.ShouldContain("NaN");
    }

    [Fact]
    public void Balance_AgainOverItsOwnOutput_NeedsForce()
    {
        Adapter("F32").Write(_folder["a"]);
        Balance(new AdapterBalanceOptions());
        Should.Throw<WiscaException>(() => Balance(new AdapterBalanceOptions())).Message.ShouldContain("exists");
        Balance(new AdapterBalanceOptions(), force: true).ShouldNotBeEmpty();
        Ledger.Load(_folder["out"])!.Files.Select(file => file.Name).ShouldContain("adapter_config.json");
    }

    [Fact]
    public void Solve_RandomFactors_GivesTheGeometricMean()
    {
        Gen.Double[-2, 2].Array[24].Select(Gen.Double[-2, 2].Array[24]).Sample((x, y) =>
        {
            double[][] a = [.. x.Chunk(8)], b = [.. y.Chunk(8)];
            double[,] p = ToSquare(Gram(a)), q = ToSquare(Gram(b));
            if (Wisca.Numerics.SymmetricEigen.Of(p).Values.Min() < 1e-3 || Wisca.Numerics.SymmetricEigen.Of(q).Values.Min() < 1e-3) return;
            var balance = GeneralBalance.Solve(p, q, 30)!;
            double[,] left = Sandwich(balance.Transform, p), right = Sandwich(balance.Inverse, q);
            GeneralBalance.Imbalance(left, right).ShouldBeLessThan(1e-9);
        });
    }

    private static SmallAdapter Adapter(string dtype) => SmallAdapter.Of(new SmallLlama()) with { Dtype = dtype };

    private IReadOnlyList<ModuleBalance> Balance(AdapterBalanceOptions options, bool force = false)
    {
        using var adapter = Wisca.Adapters.Adapter.Open(_folder["a"]);
        return FactorBalancer.Balance(adapter, _folder["out"], options, force);
    }

    private List<(double[][] B, double[][] A)> Factors(string folder)
    {
        var tensors = TestCheckpoint.Read(_folder[folder]);
        return [.. tensors.Keys.Where(name => name.EndsWith("lora_A.weight", StringComparison.Ordinal)).Select(name =>
            (DenseModel.Matrix(tensors[name.Replace("lora_A", "lora_B", StringComparison.Ordinal)]), DenseModel.Matrix(tensors[name])))];
    }

    /// <summary>B A, each sum in the order of the ranks.</summary>
    private List<double[][]> Products(string folder) =>
        [
            .. Factors(folder)
                .Select(pair =>
                    pair.B.Select(row =>
                            Enumerable
                                .Range(0, pair.A[0].Length)
                                .Select(column => row.Select((factor, k) => factor * pair.A[k][column]).Sum())
                                .ToArray())
                        .ToArray()),
        ];

    private static double[][] Gram(double[][] rows) => [.. rows.Select(a => rows.Select(b => a.Zip(b, (x, y) => x * y).Sum()).ToArray())];

    private static double Trace(double[][] matrix) => matrix.Select((row, index) => row[index]).Sum();

    private static double[,] ToSquare(double[][] rows)
    {
        double[,] square = new double[rows.Length, rows.Length];
        for (int i = 0; i < rows.Length; i++)
            for (int j = 0; j < rows.Length; j++) square[i, j] = rows[i][j];
        return square;
    }

    private static double[,] Sandwich(double[,] outer, double[,] inner)
    {
        int n = outer.GetLength(0);
        double[,] result = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n; k++)
                    for (int l = 0; l < n; l++) result[i, j] += outer[i, k] * inner[k, l] * outer[j, l];
        return result;
    }
}
