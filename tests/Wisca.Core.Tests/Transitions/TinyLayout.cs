using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

/// <summary>Layouts of one layer without a checkpoint behind them.</summary>
internal static class TinyLayout
{
    public static ModelLayout Create(
        int heads, int kvHeads, int headDim, int rotaryDims = 0, RopePairs pairs = RopePairs.Half, bool bias = false)
    {
        var layer = new AttentionLayer(
            0,
            Projection("q", heads),
            Projection("k", kvHeads),
            Projection("v", kvHeads),
            new Projection("o.weight", null, 1, Starts(heads)),
            rotaryDims,
            ImmutableDictionary<TransitionKind, string>.Empty);
        return new ModelLayout(KnownArchitectures.Find("llama"), "", 8, heads, kvHeads, headDim, pairs, [layer], [])
        {
            Map = new ModelMap([], [], [], [], null, false, null, [], []),
        };

        Projection Projection(string name, int count) => new(name + ".weight", bias ? name + ".bias" : null, 0, Starts(count));

        ImmutableArray<int> Starts(int count) => [.. Enumerable.Range(0, count).Select(head => head * headDim)];
    }

    public static Exchange Exchange(ModelLayout layout, TransitionKind kind, Granularity granularity) =>
        Wisca.Transitions.Exchange.TryCompile(layout.Geometry, layout.Layers[0], kind, granularity, out _).ShouldNotBeNull();
}
