using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Rescaling;

/// <summary>The whole way on a model that was really trained (8 heads, 4 kv heads, float32).</summary>
public sealed class RealModelTests
{
    [Theory]
    [InlineData(Granularity.Tensor, Granularity.Tensor)]
    [InlineData(Granularity.KvHead, Granularity.KvHead)]
    [InlineData(Granularity.Pair, Granularity.Channel)]
    public void Rescale_ExactFactors_BalancesEveryGroupToRounding(Granularity queryKey, Granularity valueOutput)
    {
        using var folder = new TemporaryFolder();
        using var model = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        var result = Rescaler.Rescale(model, folder["out"], new RescaleOptions { QueryKey = queryKey, ValueOutput = valueOutput });

        foreach (var group in result.Move!.Groups)
        {
            group.Outcome.ShouldBe(GroupOutcome.Scaled);
            (Math.Abs(group.NormsAfter[0] - group.NormsAfter[1]) / group.NormsAfter[0]).ShouldBeLessThan(1e-6);
        }

        using var rescaled = Checkpoint.Open(folder["out"]);
        var certificate = Certifier.Compare(model, rescaled);
        certificate.Differences.ShouldBeEmpty();
        certificate.Equivalent.ShouldBeTrue();
        certificate.QueryKeyError.ShouldBeInRange(1e-12, 4 * Math.ScaleB(1, -24));
        certificate.ValueOutputError.ShouldBeInRange(1e-12, 4 * Math.ScaleB(1, -24));
    }

    [Theory]
    [InlineData(Granularity.Tensor, Granularity.Tensor)]
    [InlineData(Granularity.Pair, Granularity.Channel)]
    public void Undo_PowersOfTwo_GivesBackTheBytes(Granularity queryKey, Granularity valueOutput)
    {
        using var folder = new TemporaryFolder();
        string source = TestData.Require("models", "TinyStories-656K");
        using var model = Checkpoint.Open(source);
        var options = new RescaleOptions
        {
            QueryKey = queryKey,
            ValueOutput = valueOutput,
            Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
        };
        UndoneBitForBit(source, model, folder, options);
    }

    [Fact]
    public void Undo_PowersOfTwoOfAll_GivesBackTheBytes()
    {
        using var folder = new TemporaryFolder();
        string source = TestData.Require("models", "TinyStories-656K");
        using var model = Checkpoint.Open(source);
        var balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo);
        UndoneBitForBit(source, model, folder, (RescaleOptions)new RescaleOptions { Balance = balance }.WithAll());
    }

    private static void UndoneBitForBit(string source, Checkpoint model, TemporaryFolder folder, RescaleOptions options)
    {
        var result = Rescaler.Rescale(model, folder["out"], options);
        result.Move!.Groups.ShouldContain(group => group.Moves);

        using var rescaled = Checkpoint.Open(folder["out"]);
        var certificate = Certifier.Compare(model, rescaled);
        certificate.ExpectedExact.ShouldBeTrue();
        certificate.QueryKeyError.ShouldBe(0);
        certificate.ValueOutputError.ShouldBe(0);
        certificate.Equivalent.ShouldBeTrue();

        var undone = Undoer.Undo(rescaled, folder["back"]);
        undone.RoundedTensors.ShouldBeEmpty();
        undone.TrainedTensors.ShouldBeEmpty();
        File.ReadAllBytes(folder["back", "model.safetensors"]).ShouldBe(File.ReadAllBytes(Path.Combine(source, "model.safetensors")));
    }
}
