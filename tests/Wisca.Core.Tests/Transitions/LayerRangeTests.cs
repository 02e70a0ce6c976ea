using Wisca.Core.Tests.Architectures;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

/// <summary>Which layers a range covers, and what is not a range.</summary>
public sealed class LayerRangeTests
{
    [Theory]
    [InlineData("all", "0,1,2,3,4,5")]
    [InlineData("0", "0")]
    [InlineData("5", "5")]
    [InlineData("1-3", "1,2,3")]
    [InlineData("-2", "0,1,2")]
    [InlineData("4-", "4,5")]
    [InlineData("0-1,3,5-", "0,1,3,5")]
    [InlineData(" 1 , 3 ", "1,3")]
    [InlineData("3,1-4,2", "1,2,3,4")]
    public void Resolve_Range_CoversItsLayers(string text, string layers)
    {
        var covered = new LayerRange(text).Resolve(6);
        covered.Length.ShouldBe(6);
        string.Join(",", Enumerable.Range(0, 6).Where(layer => covered[layer])).ShouldBe(layers);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("x")]
    [InlineData("1-x")]
    [InlineData("1,,2")]
    [InlineData("1--2")]
    [InlineData("+1")]
    [InlineData("1.5")]
    [InlineData("1 - 2")]
    [InlineData("99999999999")]
    public void Resolve_NotARange_SaysWhatIsExpected(string text) =>
        Should.Throw<WiscaException>(() =>
            new LayerRange(text).Resolve(6)).Message.ShouldBe($"'{text}' is not a range of layers: expected something like 0-3,8,30-");

    [Theory]
    [InlineData("6", "6")]
    [InlineData("0-6", "0-6")]
    [InlineData("6-", "6-")]
    [InlineData("0,3-2", "3-2")]
    public void Resolve_BeyondTheModel_SaysWhichLayersItHas(string text, string part) =>
        Should
            .Throw<WiscaException>(() => new LayerRange(text).Resolve(6))
            .Message.ShouldBe($"layers '{part}' are not among the model's layers 0 to 5");

    [Fact]
    public void Resolve_OfAConfiguration_NamesItsKey() =>
        Should
            .Throw<WiscaException>(() => new LayerRange("9") { Key = "wisca.layers" }.Resolve(2))
            .Message.ShouldBe("wisca.layers: layers '9' are not among the model's layers 0 to 1");

    [Fact]
    public void Rescale_Range_TouchesNoOtherLayer()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(TinyFamilies.ByName["smollm3"], folder["model"]);
        var move = Rescaler.Rescale(model, folder["out"], new RescaleOptions { Layers = new LayerRange("1,3-") }).Move!;
        move.Groups.Select(group => group.Layer).Distinct().ShouldBe([1, 3]);
        move.Tensors.Keys.ShouldAllBe(name => name.Contains(".1.") || name.Contains(".3."));
    }
}
