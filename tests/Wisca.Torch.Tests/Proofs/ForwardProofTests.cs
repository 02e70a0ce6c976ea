using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Proofs;

namespace Wisca.Torch.Tests.Proofs;

[Collection(TorchCollection.Name)]
public sealed class ForwardProofTests
{
    private static readonly int[] Tokens = TorchTinyModels.Tokens(30);

    [Fact]
    public void Compare_DifferentModels_MeasuresWhatPlainLoopsMeasure()
    {
        using var folder = new TemporaryFolder();
        using Checkpoint a = Write(folder["a"], seed: 1), b = Write(folder["b"], seed: 2);
        var report = ForwardProof.Compare(a, b, Tokens, new ForwardProofOptions { Precision = ComputePrecision.F64 });

        PlainLlama plainA = new(a), plainB = new(b);
        double[][] logitsA = plainA.Logits(Tokens), logitsB = plainB.Logits(Tokens);
        var differences = logitsA.Zip(logitsB, (x, y) => x.Zip(y, (p, q) => Math.Abs(p - q)).Max());
        report.MaxDifference.ShouldBe(differences.Max(), 1e-11);
        report.MaxLogit.ShouldBe(logitsA.Max(row => row.Max(Math.Abs)), 1e-11);
        report.Divergence.ShouldBe(logitsA.Zip(logitsB, Divergence).Average(), 1e-11);
        report.PerplexityA.ShouldBe(Math.Exp(plainA.Loss(Tokens)), 1e-9 * report.PerplexityA);
        report.PerplexityB.ShouldBe(Math.Exp(plainB.Loss(Tokens)), 1e-9 * report.PerplexityB);
        (report.Tokens, report.Predictions).ShouldBe((30, 29));
        report.Equivalent.ShouldBeFalse();

        static double Divergence(double[] x, double[] y)
        {
            double logX = Math.Log(x.Sum(Math.Exp)), logY = Math.Log(y.Sum(Math.Exp));
            return x.Zip(y, (p, q) => Math.Exp(p - logX) * (p - logX - q + logY)).Sum();
        }
    }

    [Theory]
    [InlineData(7)]
    [InlineData(29)]
    [InlineData(30)]
    public void Compare_InWindows_PredictsEveryTokenOnce(int window)
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder.FullPath, seed: 1);
        var report = ForwardProof.Compare(
            model, model, Tokens, new ForwardProofOptions { WindowLength = window, Precision = ComputePrecision.F64 });

        var plain = new PlainLlama(model);
        double loss = 0;
        for (int begin = 0; begin < Tokens.Length - 1; begin += window)
        {
            int[] piece = Tokens[begin..Math.Min(begin + window + 1, Tokens.Length)];
            loss += plain.Loss(piece) * (piece.Length - 1);
        }

        report.Predictions.ShouldBe(29);
        report.PerplexityA.ShouldBe(Math.Exp(loss / 29), 1e-9 * report.PerplexityA);
        report.BitIdentical.ShouldBeTrue();
    }

    [Fact]
    public void Compare_NaNWeight_SaysSo()
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder["model"], seed: 1);
        ModelCopy.Write(model, folder["broken"], edit: (info, values) =>
        {
            if (info.Name == "lm_head.weight") values[0] = float.NaN;
        });
        using var broken = Checkpoint.Open(folder["broken"]);
        var report = ForwardProof.Compare(model, broken, Tokens);
        report.Equivalent.ShouldBeFalse();
        report.Reason.ShouldBe("NaN or infinite logits: 0 of A, 30 of B");

        // The same bits, but no numbers that could be equal.
        var itself = ForwardProof.Compare(broken, broken, Tokens);
        itself.BitIdentical.ShouldBeTrue();
        itself.Equivalent.ShouldBeFalse();
        itself.Reason.ShouldBe("NaN or infinite logits: 30 of A, 30 of B");
    }

    [Fact]
    public void Compare_OneBitOfOneWeight_IsNotBitIdentical()
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder["model"], seed: 1);
        ModelCopy.Write(model, folder["other"], edit: (info, values) =>
        {
            if (info.Name == "lm_head.weight") values[0] = MathF.BitIncrement(values[0]);
        });
        using var other = Checkpoint.Open(folder["other"]);
        var report = ForwardProof.Compare(model, other, Tokens);
        report.BitIdentical.ShouldBeFalse();
        report.Equivalent.ShouldBeTrue();
        report.MaxDifference.ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData(new[] { 1 }, null, "1 tokens are too few")]
    [InlineData(new[] { 1, 50 }, null, "token 50 at position 1 is not below the model's vocabulary of 50")]
    [InlineData(new[] { -1, 3 }, null, "token -1 at position 0")]
    [InlineData(new[] { 1, 2 }, 65, "a window of 65 tokens, but the models were made for 1 to 64")]
    [InlineData(new[] { 1, 2 }, 0, "a window of 0 tokens")]
    public void Compare_WrongTokensOrWindow_IsRefused(int[] tokens, int? window, string message)
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder.FullPath, seed: 1);
        Should
            .Throw<WiscaException>(() => ForwardProof.Compare(model, model, tokens, new ForwardProofOptions { WindowLength = window }))
            .Message.ShouldStartWith(message);
    }

    [Fact]
    public void Compare_OtherVocabulary_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder["model"], seed: 1);
        string config = TorchTinyModels.Config().Replace("\"vocab_size\": 50", "\"vocab_size\": 49", StringComparison.Ordinal);
        ModelCopy.Write(folder["other"], config, TorchTinyModels.Tensors(1));
        using var other = Checkpoint.Open(folder["other"]);
        Should.Throw<WiscaException>(() => ForwardProof.Compare(model, other, Tokens)).Message.ShouldEndWith("other 49");
    }

    [Fact]
    public void CheckMemory_TooLittle_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder.FullPath, seed: 1);
        double needed = 2 * 4 * model.ParameterCount;
        ForwardProof.CheckMemory(model, model, ComputePrecision.F32, needed);
        Should
            .Throw<WiscaException>(() => ForwardProof.CheckMemory(model, model, ComputePrecision.F32, needed - 1))
            .Message.ShouldStartWith("the two models take ");
        Should.Throw<WiscaException>(() => ForwardProof.CheckMemory(model, model, ComputePrecision.F64, needed));
    }

    [Fact]
    public void Compare_Windows_ReportsProgressAndCanBeStopped()
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder.FullPath, seed: 1);
        var shares = new List<double>();
        using var source = new CancellationTokenSource();
        var options = new ForwardProofOptions { WindowLength = 10 };
        ForwardProof.Compare(model, model, Tokens, options, new Recorder(shares.Add), source.Token);
        shares.ShouldBe([1 / 3.0, 2 / 3.0, 1], 1e-12);
        Should.Throw<OperationCanceledException>(() =>
            ForwardProof.Compare(model, model, Tokens, options, new Recorder(_ => source.Cancel()), source.Token));
    }

    [Fact]
    public void Compare_ManyTimes_LeavesNoTensorsAndThreadsAsTheyWere()
    {
        using var folder = new TemporaryFolder();
        using var model = Write(folder.FullPath, seed: 1);
        int threads = TorchRuntime.Threads;
        ForwardProof.Compare(model, model, Tokens);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 3; i++)
            ForwardProof.Compare(model, model, Tokens, new ForwardProofOptions { Threads = threads + 1, WindowLength = 8 });
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);
        TorchRuntime.Threads.ShouldBe(threads);
    }

    [Fact]
    public void Draw_SameSeed_SameTokensEverywhere()
    {
        // The first five outputs of SplitMix64 from 0 are E220A839..., 6E789E6A...,
        // 06C45D18..., F88BB8A8..., 1B39896A...: their first 11 bits.
        RandomTokens.Draw(5, 2048, seed: 0).ShouldBe([0xE22 >> 1, 0x6E7 >> 1, 0x06C >> 1, 0xF88 >> 1, 0x1B3 >> 1]);
        int[] many = RandomTokens.Draw(100_000, 10, seed: 7);
        for (int token = 0; token < 10; token++) many.Count(drawn => drawn == token).ShouldBeInRange(9_600, 10_400);
        many.ShouldAllBe(token => token >= 0 && token < 10);
    }

    private static Checkpoint Write(string folder, int seed)
    {
        TorchTinyModels.WriteLlama(folder, seed);
        return Checkpoint.Open(folder);
    }

    private sealed class Recorder(Action<double> record) : IProgress<double>
    {
        public void Report(double value) => record(value);
    }
}
