using TorchSharp;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>The example of docs/dotnet.md for models of one's own: compiled and run here, and held to the document's text.</summary>
internal static class DocumentExample
{
    public static TransitionEvent? Train(nn.Module<Tensor, Tensor> model, Tensor inputs, Tensor targets, int steps)
    {
        TransitionEvent? last = null;
        // example
        using var optimizer = torch.optim.AdamW(model.parameters(), 1e-3);
        var wisca = WiscaScheduler.Attach(model, optimizer, new AttentionNames(
            "blocks.*.query", "blocks.*.key", "blocks.*.value", "blocks.*.output", Heads: 4, KvHeads: 2, HeadDim: 8, RotaryDims: 8));

        for (int step = 0; step < steps; step++)
        {
            optimizer.zero_grad();
            using var loss = nn.functional.cross_entropy(model.forward(inputs), targets);
            loss.backward();
            optimizer.step();
            wisca.Step();       // every 250 steps W_q, W_k, W_v, W_o and Adam's moments move to the balanced pattern
        }
        // example
        last = wisca.Apply(steps);
        return last;
    }
}
