using TorchSharp;
using TorchSharp.Modules;
using Wisca.Tests.Torch;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>Rotations in models of one's own, under TorchSharp's optimizers.</summary>
[Collection(TorchCollection.Name)]
public sealed class RotationAttachTests
{
    private const int Hidden = 16, Vocabulary = 11;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Apply_NamedStream_KeepsTheFunction(bool takesMean, bool tied)
    {
        using var model = new OwnModel(takesMean, tied);
        using var optimizer = optim.AdamW(model.parameters(), 1e-2);
        using var rotations = RotationScheduler.Attach(model, optimizer, Names(takesMean, tied));
        Train(model, optimizer, rotations, 3);
        using var before = model.forward(Tokens()).detach();
        using var weight = model.named_parameters().First(entry => entry.name == "blocks.0.up.weight").parameter.detach().clone();

        var done = rotations.Apply(3);
        using var after = model.forward(Tokens());

        done.Spaces.ShouldHaveSingleItem().Angle.ShouldBeGreaterThan(5);
        (after - before).abs().max().ToDouble().ShouldBeLessThan(1e-12);
        (model.named_parameters().First(entry => entry.name == "blocks.0.up.weight").parameter - weight).abs().max().ToDouble()
            .ShouldBeGreaterThan(1e-2);
        rotations.Spaces[0].KeepsOnes.ShouldBe(takesMean);
        rotations.FrozenGains.ShouldBe(tied ? ["last.weight"] : []);
    }

    [Fact]
    public void Step_MomentumOfTorchSharp_GoesOnAsIfNothingHadHappened()
    {
        double[] plain = Losses(null), rotated = Losses(4);
        plain.Zip(rotated, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-10);
        (plain[0] - plain[^1]).ShouldBeGreaterThan(1e-2);

        static double[] Losses(int? every)
        {
            using var model = new OwnModel(takesMean: false, tied: false);

            // Gains act element by element: here they stay ones.
            foreach (var (name, parameter) in model.named_parameters())
                parameter.requires_grad = !name.EndsWith("norm.weight", StringComparison.Ordinal) && name != "last.weight";
            using var optimizer = optim.SGD(model.parameters().Where(parameter => parameter.requires_grad), 0.05, momentum: 0.9);
            using var rotations = every is { } steps
                ? RotationScheduler.Attach(model, optimizer, Names(false, false), new RotationOptions { Every = steps, Start = steps })
                : null;
            var losses = Train(model, optimizer, rotations, 20);
            (rotations?.Rotations ?? 5).ShouldBe(5);
            return losses;
        }
    }

    [Fact]
    public void Step_HuggingFaceNames_RotatesWhenDue()
    {
        using var training = new TinyTraining(ScalarType.Float64);
        using var optimizer = optim.AdamW(training.Model.parameters(), 1e-3);
        using var rotations = RotationScheduler.Attach(
            training.Model, optimizer, training.Config, new RotationOptions { Every = 2, Start = 3, Source = RotationSource.Random });
        long[] due = [.. Enumerable.Range(1, 6).Where(_ => rotations.Step() is not null)];
        due.ShouldBe([3L, 5L]);
        rotations.CompletedSteps.ShouldBe(6);
        rotations.Spaces.ShouldHaveSingleItem().Name.ShouldBe("stream");
    }

    [Theory]
    [InlineData("blocks.*.gate", "parameter 'blocks.0.gate.weight' [24, 16] has an axis as long as the stream")]
    [InlineData("blocks.*.down", "parameter 'blocks.0.down.bias' [16] has an axis as long as the stream")]
    [InlineData("blocks.*.norm", "parameter 'blocks.0.gate.weight' [24, 16] has an axis as long as the stream")]
    [InlineData("positions", "parameter 'positions.weight' [6, 16] has an axis as long as the stream")]
    public void Attach_SomethingForgotten_IsNamed(string forgotten, string expected) => Refused(
        Names(false, false) is var names
            ? names with
            {
                Embeddings = [.. names.Embeddings.Where(name => name != forgotten)],
                Writers = [.. names.Writers.Where(name => name != forgotten)],
                Norms =
                [
                    .. names.Norms.Where(norm => norm.Name != forgotten)
                        .Select(norm => norm with { Readers = [.. norm.Readers.Where(name => name != forgotten)] }),
                ],
            }
            : names,
        expected);

    [Fact]
    public void Attach_NamesThatDoNotFit_AreTold()
    {
        var names = Names(false, false);
        Refused(names with { Writers = ["blocks.*.up"] }, "parameter 'blocks.0.up.weight' has shape [24, 16], expected a matrix with the");
        Refused(names with { Writers = ["blocks.*.nothing"] }, "no parameter matches 'blocks.*.nothing.weight'");
        Refused(names with { Writers = ["nothing"] }, "the model has no parameter 'nothing.weight'");
        Refused(names with { Writers = ["*.*.down"] }, "'*.*.down' has more than one *");
        Refused(names with { Readers = ["blocks.*.gate"] }, "'blocks.0.gate' is named twice");
        Refused(names with { Embeddings = [] }, "the stream has no embeddings");
        Refused(
            names with { Norms = [new StreamNorm("blocks.*.up", [])] },
            "parameter 'blocks.0.up.weight' has shape [24, 16], expected [16]");
    }

    [Fact]
    public void Attach_TiedBehindGainsThatDiffer_IsRefused()
    {
        using var model = new OwnModel(takesMean: false, tied: true);
        using (no_grad()) model.named_parameters().First(entry => entry.name == "last.weight").parameter[0].fill_(2.ToScalar());
        using var optimizer = optim.AdamW(model.parameters());
        Should.Throw<WiscaException>(() => RotationScheduler.Attach(model, optimizer, Names(false, true)))
            .Message.ShouldContain("not exact in this model");
    }

    [Fact]
    public void Attach_OthersAreLeftAlone()
    {
        using var model = new OwnModel(takesMean: false, tied: false);
        using var optimizer = optim.AdamW(model.parameters(), 1e-2);
        var names = Names(false, false);
        using var rotations = RotationScheduler.Attach(
            model, optimizer, names with { Embeddings = ["embedding"], Others = ["positions"] },
            new RotationOptions { Source = RotationSource.Random });
        using var before = model.named_parameters().First(entry => entry.name == "positions.weight").parameter.detach().clone();
        rotations.Apply(1);
        using var after = model.named_parameters().First(entry => entry.name == "positions.weight").parameter;
        (after - before).abs().max().ToDouble().ShouldBe(0);
    }

    private static void Refused(StreamNames names, string expected)
    {
        using var model = new OwnModel(takesMean: false, tied: false);
        using var optimizer = optim.AdamW(model.parameters());
        Should.Throw<WiscaException>(() => RotationScheduler.Attach(model, optimizer, names)).Message.ShouldContain(expected);
    }

    private static StreamNames Names(bool takesMean, bool tied) =>
        new(
            ["embedding", "positions"],
            ["blocks.*.down"],
            [
                new StreamNorm("blocks.*.norm", ["blocks.*.gate", "blocks.*.up"]) { TakesMean = takesMean },
                new StreamNorm("last", [tied ? "embedding" : "head"]) { TakesMean = takesMean },
            ]);

    private static Tensor Tokens() => tensor(new long[] { 1, 4, 9, 2, 7, 3 });

    private static double[] Train(OwnModel model, optim.Optimizer optimizer, RotationScheduler? rotations, int steps)
    {
        double[] losses = new double[steps];
        for (int step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            var loss = nn.functional.cross_entropy(model.forward(Tokens()), tensor(new long[] { 4, 9, 2, 7, 3, 1 }));
            loss.backward();
            rotations?.Observe();
            optimizer.step();
            rotations?.Step();
            losses[step] = loss.ToDouble();
        }

        return losses;
    }

    /// <summary>Gated layers on a residual stream: embeddings of tokens and positions, and a head of its own or tied.</summary>
    private sealed class OwnModel : nn.Module<Tensor, Tensor>
    {
        private readonly Embedding embedding = nn.Embedding(Vocabulary, Hidden), positions = nn.Embedding(6, Hidden);
        private readonly ModuleList<Block> blocks;
        private readonly Norm last;
        private readonly Linear? head;

        public OwnModel(bool takesMean, bool tied)
            : base(nameof(OwnModel))
        {
            blocks = nn.ModuleList(new Block(takesMean), new Block(takesMean));
            last = new Norm(takesMean);
            head = tied ? null : nn.Linear(Hidden, Vocabulary, hasBias: false);
            RegisterComponents();
            this.to(ScalarType.Float64);

            // Not by torch's generator, which whatever else runs in the process draws from too.
            var random = new Random(5);
            using var ungraded = no_grad();
            foreach (var parameter in parameters().Where(parameter => parameter.dim() == 2))
            {
                double[] values = [.. Enumerable.Range(0, (int)parameter.numel()).Select(_ => random.NextDouble() - 0.5)];
                parameter.copy_(tensor(values, parameter.shape));
            }

            foreach (var parameter in blocks.SelectMany(block => block.Biases)) parameter.zero_();
        }

        public override Tensor forward(Tensor tokens)
        {
            var x = embedding.forward(tokens) + positions.weight!;
            x = last.forward(blocks.Aggregate(x, (stream, block) => block.forward(stream)));
            return head is null ? x.matmul(embedding.weight!.t()) : head.forward(x);
        }
    }

    private sealed class Block : nn.Module<Tensor, Tensor>
    {
        private readonly Norm norm;
        private readonly Linear gate = nn.Linear(Hidden, 24), up = nn.Linear(Hidden, 24), down = nn.Linear(24, Hidden);

        public Block(bool takesMean)
            : base(nameof(Block))
        {
            norm = new Norm(takesMean);
            RegisterComponents();
        }

        public IEnumerable<Parameter> Biases => [gate.bias!, up.bias!, down.bias!];

        public override Tensor forward(Tensor input)
        {
            var x = norm.forward(input);
            return input + down.forward(nn.functional.silu(gate.forward(x)) * up.forward(x));
        }
    }

    private sealed class Norm : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter weight = new(ones(Hidden));
        private readonly Parameter? bias;

        public Norm(bool takesMean)
            : base(nameof(Norm))
        {
            bias = takesMean ? new Parameter(zeros(Hidden)) : null;
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            var x = bias is null ? input : input - input.mean([-1], keepdim: true);
            x = x * x.Squared().mean([-1], keepdim: true).Plus(1e-6).rsqrt() * weight;
            return bias is null ? x : x + bias;
        }
    }
}
