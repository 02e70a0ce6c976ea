using Wisca.Checkpoints;
using Wisca.Tests.Torch;
using Wisca.Torch.Kernels;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

/// <summary>Sequences that fork, against each trunk with one branch by itself.</summary>
[Collection(TorchCollection.Name)]
public sealed class BranchingTests
{
    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Hidden_Forking_IsThatOfEverySequenceByItself(string modelType)
    {
        using var decoder = TinyFamilies.Create(modelType);
        Check(decoder, 1e-11);
    }

    /// <summary>Heads that our own kernel takes, which needs no mask.</summary>
    [Theory]
    [InlineData("llama")]
    [InlineData("cohere")]
    public void Hidden_ForkingInSinglePrecision_IsThatOfEverySequenceByItself(string modelType)
    {
        using var decoder = Decoder.Create(DecoderConfig.From(ModelConfig.Parse($$"""
            {
              "model_type": "{{modelType}}", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 64,
              "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64
            }
            """)), seed: 3);
        SmallHeadAttention.Takes(decoder.Config.Attention.HeadDim).ShouldBeTrue();
        Check(decoder, 1e-5);
    }

    [Fact]
    public void HiddenKeys_BranchesThatComeBack_AreNoRange()
    {
        using var scope = NewDisposeScope();
        long[] positions = [0, 1, 1, 2], forked = [0, 1, 2, 2];
        new Branching(tensor(positions, [1, 4]), tensor(forked, [1, 4])).HiddenKeys().ShouldBe([0, 0, 1, 1, 1, 2, 1, 2]);
        foreach (long[] branches in (long[][])[[0, 1, 2, 1], [0, 1, 0, 1]])
            new Branching(tensor(positions, [1, 4]), tensor(branches, [1, 4])).HiddenKeys().ShouldBeNull();
    }

    private static void Check(Decoder decoder, double tolerance)
    {
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();

        // Two rows with branches of other lengths; the second is padded,
        // and the trunk is longer than the windows of those models that have one.
        int[][][] rows =
        [
            [
                TinyFamilies.Tokens(7, seed: 1), TinyFamilies.Tokens(3, seed: 2), TinyFamilies.Tokens(5, seed: 3),
                TinyFamilies.Tokens(1, seed: 4),
            ],
            [TinyFamilies.Tokens(5, seed: 5), TinyFamilies.Tokens(4, seed: 6), TinyFamilies.Tokens(4, seed: 7)],
        ];
        int width = rows.Max(row => row.Sum(part => part.Length));
        Tensor ids = zeros([2, width], int64), positions = zeros([2, width], int64), branches = full([2, width], -1, int64);
        for (int row = 0; row < rows.Length; row++)
        {
            int at = 0;
            for (int part = 0; part < rows[row].Length; part++)
            {
                for (int i = 0; i < rows[row][part].Length; i++, at++)
                {
                    ids[row, at] = rows[row][part][i];
                    positions[row, at] = part == 0 ? i : rows[row][0].Length + i;
                    branches[row, at] = part;
                }
            }
        }

        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            decoder.AttentionPath = path;
            var hidden = decoder.Hidden(ids, new Branching(positions, branches));
            for (int row = 0; row < rows.Length; row++)
            {
                int trunk = rows[row][0].Length, at = trunk;
                foreach (int[] branch in rows[row][1..])
                {
                    long[] alone = [.. rows[row][0].Concat(branch).Select(token => (long)token)];
                    var expected = decoder.Hidden(tensor(alone).unsqueeze(0))[0];
                    var found = cat([hidden[row].narrow(0, 0, trunk), hidden[row].narrow(0, at, branch.Length)]);
                    (found - expected).abs().max().AsDouble().ShouldBeLessThan(tolerance, $"{path}, row {row}");
                    at += branch.Length;
                }
            }
        }
    }

    [Fact]
    public void Hidden_PositionBeyondTheLearnedOnes_IsRefused()
    {
        using var decoder = TinyFamilies.Create("gpt2");
        using var scope = NewDisposeScope();
        Tensor ids = zeros([1, 2], int64), branches = zeros([1, 2], int64);
        Should
            .Throw<WiscaException>(() => decoder.Hidden(ids, new Branching(tensor((long[])[31, 32], [1, 2]), branches)))
            .Message.ShouldContain("has 32 positions");
    }
}
