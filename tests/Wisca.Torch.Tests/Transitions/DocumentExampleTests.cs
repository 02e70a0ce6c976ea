using TorchSharp.Modules;
using Wisca.Tests.Torch;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

[Collection(TorchCollection.Name)]
public sealed class DocumentExampleTests
{
    [Fact]
    public void Train_ModelOfOnesOwn_IsRescaled()
    {
        using var model = new OwnModel();
        using var inputs = randn(64, 32);
        using var targets = randint(0, 10, [64], ScalarType.Int64);
        DocumentExample.Train(model, inputs, targets, 3).ShouldNotBeNull().Solution.Plan.Exchanges.Length.ShouldBe(4);
    }

    [Fact]
    public void Document_Example_IsTheOneThatIsCompiled()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Wisca.slnx"))) root = Path.GetDirectoryName(root)!;
        string source = File.ReadAllText(Path.Combine(root, "tests/Wisca.Torch.Tests/Transitions/DocumentExample.cs"))
            .Split("        // example\n")[1];
        string example = string.Join(
                '\n',
                source.Split('\n').Select(line => line.StartsWith("        ", StringComparison.Ordinal) ? line[8..] : line))
            .Trim();
        File.ReadAllText(Path.Combine(root, "docs/dotnet.md")).ReplaceLineEndings("\n").ShouldContain(example);
    }

    /// <summary>Attention over the batch, for what it is worth: the example is about the scheduler.</summary>
    private sealed class OwnModel : nn.Module<Tensor, Tensor>
    {
        private readonly ModuleList<Block> blocks = nn.ModuleList(new Block(), new Block());
        private readonly Linear head = nn.Linear(32, 10);

        public OwnModel()
            : base(nameof(OwnModel)) => RegisterComponents();

        public override Tensor forward(Tensor input) => head.forward(blocks.Aggregate(input, (x, block) => block.forward(x)));
    }

    private sealed class Block : nn.Module<Tensor, Tensor>
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
}
