using System.Collections.Immutable;
using CsCheck;
using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

/// <summary>How a transition is compiled to groups and slices.</summary>
public sealed class ExchangeTests
{
    [Fact]
    public void TryCompile_Granularities_GroupTheChannels()
    {
        var layout = TinyLayout.Create(heads: 4, kvHeads: 2, headDim: 6, rotaryDims: 4);
        Groups(TransitionKind.QueryKey, Granularity.Tensor).ShouldBe([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Groups(TransitionKind.QueryKey, Granularity.KvHead).ShouldBe([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
        Groups(TransitionKind.QueryKey, Granularity.Pair).ShouldBe([0, 1, 0, 1, 2, 3, 4, 5, 4, 5, 6, 7]);
        Groups(TransitionKind.ValueOutput, Granularity.Channel).ShouldBe([.. Enumerable.Range(0, 12)]);
        layout = layout with { RopePairs = RopePairs.Interleaved };
        Groups(TransitionKind.QueryKey, Granularity.Pair).ShouldBe([0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 7]);
        layout = TinyLayout.Create(heads: 4, kvHeads: 2, headDim: 3);
        Groups(TransitionKind.QueryKey, Granularity.Pair).ShouldBe([.. Enumerable.Range(0, 6)]);
        Groups(TransitionKind.QueryKey, Granularity.Channel).ShouldBe([.. Enumerable.Range(0, 6)]);

        ImmutableArray<int> Groups(TransitionKind kind, Granularity granularity) =>
            TinyLayout.Exchange(layout, kind, granularity).GroupOfChannel;
    }

    [Fact]
    public void TryCompile_Labels_NameHeadAndFirstChannel()
    {
        var layout = TinyLayout.Create(heads: 2, kvHeads: 2, headDim: 4, rotaryDims: 2);
        TinyLayout.Exchange(layout, TransitionKind.QueryKey, Granularity.Tensor).Groups.ShouldBe([new GroupLabel(null, null)]);
        TinyLayout
            .Exchange(layout, TransitionKind.QueryKey, Granularity.KvHead)
            .Groups.ShouldBe([new GroupLabel(0, null), new GroupLabel(1, null)]);
        TinyLayout
            .Exchange(layout, TransitionKind.QueryKey, Granularity.Pair)
            .Groups.ShouldBe([
                new GroupLabel(0, 0), new GroupLabel(0, 2), new GroupLabel(0, 3), new GroupLabel(1, 0), new GroupLabel(1, 2),
                new GroupLabel(1, 3),
            ]);
    }

    [Fact]
    public void TryCompile_Slices_MultiplyOneSideDivideTheOtherAndTakeBiasesAlong()
    {
        var layout = TinyLayout.Create(heads: 4, kvHeads: 2, headDim: 4, bias: true);
        TinyLayout.Exchange(layout, TransitionKind.QueryKey, Granularity.Tensor).Slices.Select(slice =>
            (slice.Tensor, slice.Axis, slice.Exponent, slice.IsBias)).ShouldBe(
            [("q.weight", 0, +1, false), ("q.bias", 0, +1, true), ("k.weight", 0, -1, false), ("k.bias", 0, -1, true)]);

        // The output's own bias is added behind the exchange.
        TinyLayout.Exchange(layout, TransitionKind.ValueOutput, Granularity.Tensor).Slices.Select(slice =>
            (slice.Tensor, slice.Axis, slice.Exponent, slice.IsBias)).ShouldBe(
            [("v.weight", 0, +1, false), ("v.bias", 0, +1, true), ("o.weight", 1, -1, false)]);
    }

    [Fact]
    public void TryCompile_NotExact_SaysWhyAndWhatToUse()
    {
        var layout = TinyLayout.Create(heads: 4, kvHeads: 2, headDim: 4, rotaryDims: 2);
        Refusal(layout.Layers[0], TransitionKind.QueryKey, Granularity.Channel).ShouldContain("use pair");
        Refusal(layout.Layers[0], TransitionKind.ValueOutput, Granularity.Pair).ShouldContain("use channel");
        var refused = layout.Layers[0] with { Refusals = layout.Layers[0].Refusals.Add(TransitionKind.QueryKey, "because of a norm") };
        foreach (var granularity in Enum.GetValues<Granularity>())
            Refusal(refused, TransitionKind.QueryKey, granularity).ShouldBe("because of a norm");
        Exchange.TryCompile(layout.Geometry, refused, TransitionKind.ValueOutput, Granularity.Tensor, out string? none).ShouldNotBeNull();
        none.ShouldBeNull();

        string Refusal(AttentionLayer layer, TransitionKind kind, Granularity granularity)
        {
            Exchange.TryCompile(layout.Geometry, layer, kind, granularity, out string? refusal).ShouldBeNull();
            return refusal.ShouldNotBeNull();
        }
    }

    [Fact]
    public void Describe_Groups_AreRangesOfIndices()
    {
        var layout = TinyLayout.Create(heads: 4, kvHeads: 2, headDim: 6, rotaryDims: 4);
        var pairs = TinyLayout.Exchange(layout, TransitionKind.QueryKey, Granularity.Pair);
        pairs.Describe(pairs.Slices[0], 0).ShouldBe("0,2,6,8");
        pairs.Describe(pairs.Slices[1], 0).ShouldBe("0,2");
        pairs.Describe(pairs.Slices[0], 7).ShouldBe("17,23");
        var heads = TinyLayout.Exchange(layout, TransitionKind.QueryKey, Granularity.KvHead);
        heads.Describe(heads.Slices[0], 1).ShouldBe("12-23");
        heads.Describe(heads.Slices[1], 1).ShouldBe("6-11");
        var whole = TinyLayout.Exchange(layout, TransitionKind.ValueOutput, Granularity.Tensor);
        whole.Describe(whole.Slices[1], 0).ShouldBe("0-23");
    }

    [Fact]
    public void TryCompile_AnyLayout_PutsEveryIndexInOneGroupAndPartnersTogether()
    {
        var layouts =
            from kvHeads in Gen.Int[1, 4]
            from sharing in Gen.Int[1, 4]
            from half in Gen.Int[1, 5]
            from rotary in Gen.Int[0, half]
            from interleaved in Gen.Bool
            select TinyLayout.Create(
                kvHeads * sharing, kvHeads, 2 * half, 2 * rotary, interleaved ? RopePairs.Interleaved : RopePairs.Half);
        layouts.Sample(layout =>
        {
            int d = layout.HeadDim, r = layout.Layers[0].RotaryDims;
            var exchange = TinyLayout.Exchange(layout, TransitionKind.QueryKey, Granularity.Pair);
            exchange.GroupOfChannel.Distinct().Order().ShouldBe(Enumerable.Range(0, exchange.Groups.Length));
            exchange.Groups.Length.ShouldBe(layout.KvHeads * (d - (r / 2)));
            foreach (var slice in exchange.Slices)
            {
                int[] owners = new int[slice.Runs.Sum(run => run.Count)];
                for (int group = 0; group < exchange.Groups.Length; group++)
                {
                    foreach (string range in exchange.Describe(slice, group).Split(','))
                    {
                        int[] ends = [.. range.Split('-').Select(int.Parse)];
                        for (int index = ends[0]; index <= ends[^1]; index++) owners[index]++;
                    }
                }

                owners.ShouldAllBe(count => count == 1);
            }

            // Rotated together, scaled together; all others on their own.
            for (int channel = 0; channel < d; channel++)
            {
                int[] partners =
                [
                    .. Enumerable.Range(0, d).Where(other => exchange.GroupOfChannel[other] == exchange.GroupOfChannel[channel]),
                ];
                int[] expected = channel >= r ? [channel]
                    : layout.RopePairs == RopePairs.Half ? [channel % (r / 2), (channel % (r / 2)) + (r / 2)]
                    : [channel / 2 * 2, (channel / 2 * 2) + 1];
                partners.ShouldBe(expected);
            }
        });
    }
}
