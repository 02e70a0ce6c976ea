// A TorchSharp model and optimizer of one's own, trained with transitions in the loop.
using TorchSharp;
using TorchSharp.Modules;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

const int steps = 400;
manual_seed(1);
using var model = new OwnModel();
using var inputs = randn(64, 32);
using var targets = randint(0, 10, [64], ScalarType.Int64);

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

// A move changes the weights and not the function.
using var before = Output();
var moved = wisca.Apply(steps);
using var after = Output();
using var difference = (after - before).abs().max();
using var size = after.abs().max();
double error = difference.item<float>() / size.item<float>();
Console.WriteLine($"{wisca.Transitions} transitions; the last scaled {moved.Scaled} pairs by up to 2^{moved.LargestLog2:0.000}");
Console.WriteLine($"the output changed by at most {error:0.0e+0} of its largest value");
return moved.Scaled > 0 && error < 1e-5 ? 0 : 1;

Tensor Output()
{
    using var scope = no_grad();
    return model.forward(inputs);
}

/// <summary>Two blocks of attention over the batch, for what it is worth: the sample is about the loop.</summary>
internal sealed class OwnModel : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<Block> blocks = nn.ModuleList(new Block(), new Block());
    private readonly Linear head = nn.Linear(32, 10);

    public OwnModel()
        : base(nameof(OwnModel)) => RegisterComponents();

    public override Tensor forward(Tensor input) => head.forward(blocks.Aggregate(input, (x, block) => block.forward(x)));
}

/// <summary>Attention with four query heads and two kv heads of eight channels.</summary>
internal sealed class Block : nn.Module<Tensor, Tensor>
{
    private readonly Linear query = nn.Linear(32, 32), key = nn.Linear(32, 16), value = nn.Linear(32, 16), output = nn.Linear(32, 32);

    public Block()
        : base(nameof(Block)) => RegisterComponents();

    public override Tensor forward(Tensor input)
    {
        Tensor q = Split(query.forward(input), 4),
            k = Split(key.forward(input), 2).repeat_interleave(2, 0),
            v = Split(value.forward(input), 2).repeat_interleave(2, 0);
        var mixed = nn.functional.scaled_dot_product_attention(q, k, v);
        return input + output.forward(mixed.transpose(0, 1).flatten(1));
    }

    private static Tensor Split(Tensor x, int heads) => x.unflatten(1, [heads, 8]).transpose(0, 1);
}
