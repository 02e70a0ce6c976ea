using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

public sealed class TransitionPresetTests
{
    [Theory]
    [InlineData("qk_ten+vo_ten", Granularity.Tensor, Granularity.Tensor)]
    [InlineData("vo_row + qk_row", Granularity.Pair, Granularity.Channel)]
    [InlineData("qk_ten", Granularity.Tensor, null)]
    [InlineData("vo_ten", null, Granularity.Tensor)]
    public void Parse_Names_AreGranularities(string names, Granularity? queryKey, Granularity? valueOutput) =>
        TransitionPreset.Parse(names).ShouldBe(new TransitionPreset(queryKey, valueOutput));

    [Theory]
    [InlineData("", "'' is not a preset")]
    [InlineData("qk_ten+", "'' is not a preset")]
    [InlineData("QK_TEN", "'QK_TEN' is not a preset")]
    [InlineData("qk_ten+qk_row", "two strategies for qk")]
    [InlineData("vo_ten+qk_ten+vo_ten", "two strategies for vo")]
    public void Parse_AnythingElse_IsRefused(string names, string expected) =>
        Should.Throw<WiscaException>(() => TransitionPreset.Parse(names)).Message.ShouldContain(expected);
}
