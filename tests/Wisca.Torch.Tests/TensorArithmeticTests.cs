using Wisca.Tests.Torch;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests;

[Collection(TorchCollection.Name)]
public sealed class TensorArithmeticTests
{
    /// <summary>What is computed of x and y, and TorchSharp's own way to it.</summary>
    private static readonly Dictionary<string, (Func<Tensor, Tensor, Tensor> Ours, Func<Tensor, Tensor, Tensor> Theirs)> Forms = new()
    {
        ["x + y"] = ((x, y) => x.Plus(y), (x, y) => x + y),
        ["x + 0.3"] = ((x, _) => x.Plus(0.3), (x, _) => x + 0.3),
        ["x + 3"] = ((x, _) => x.Plus(3), (x, _) => x + 3),
        ["1 + x"] = ((x, _) => x.Plus(1), (x, _) => 1 + x),
        ["x - 1"] = ((x, _) => x.Plus(-1), (x, _) => x - 1),
        ["x += y"] = ((x, y) => x.clone().Plus_(y), (x, y) => x.clone().add_(y)),
        ["x += 0.3 y"] = ((x, y) => x.clone().Plus_(y, 0.3), (x, y) => x.clone().add_(y, 0.3)),
        ["x * 0.3"] = ((x, _) => x.Times(0.3), (x, _) => x * 0.3),
        ["0.3 * x"] = ((x, _) => x.Times(0.3), (x, _) => 0.3 * x),
        ["x * 3"] = ((x, _) => x.Times(3), (x, _) => x * 3),
        ["x * 3L"] = ((x, _) => x.Times(3L), (x, _) => x * 3L),
        ["x *= 0.3"] = ((x, _) => x.clone().Times_(0.3), (x, _) => x.clone().mul_(0.3)),
        ["x / 0.3"] = ((x, _) => x.Over(0.3), (x, _) => x / 0.3),
        ["x / 3"] = ((x, _) => x.Over(3), (x, _) => x / 3),
        ["x / 3L"] = ((x, _) => x.Over(3L), (x, _) => x / 3L),
        ["x ^ 2"] = ((x, _) => x.Squared(), (x, _) => x.square()),
        ["|rows|"] = ((x, _) => linalg.norm(x, 2, [-1], true), (x, _) => linalg.vector_norm(x, 2, [-1], true)),
        ["|columns|"] = (
            (x, _) => linalg.norm(x.movedim([1], [0]).flatten(1), 2, [1], false),
            (x, _) => linalg.vector_norm(x, 2, [0], false)),
        ["|matrix|"] = ((x, _) => linalg.norm(x, 2, [0, 1], false), (x, _) => linalg.matrix_norm(x, 2.0)),
    };

    public static TheoryData<string, ScalarType> Cases()
    {
        var cases = new TheoryData<string, ScalarType>();
        foreach (string form in Forms.Keys)
        {
            foreach (var type in new[] { ScalarType.Float64, ScalarType.Float32, ScalarType.BFloat16, ScalarType.Int64 })
            {
                bool ordinary = form[0] != '|' && (type != ScalarType.Int64 || !form.Contains("= 0.3", StringComparison.Ordinal));
                if (ordinary || type is ScalarType.Float64 or ScalarType.Float32) cases.Add(form, type);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Form_AnyType_IsTorchSharpsOwnBitForBit(string form, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        var (ours, theirs) = Forms[form];
        Tensor Draw() => (randn([67, 45], ScalarType.Float64, generator: generator) * 10).to(type).requires_grad_(type != ScalarType.Int64);
        Tensor x = Draw(), y = Draw();
        Tensor actual = ours(x, y), expected = theirs(x, y);
        ShouldBeSame(actual, expected);
        if (type == ScalarType.Int64) return;
        ShouldBeSame(autograd.grad([actual.cos().sum()], [x])[0], autograd.grad([expected.cos().sum()], [x])[0]);
    }

    private static void ShouldBeSame(Tensor actual, Tensor expected)
    {
        actual.dtype.ShouldBe(expected.dtype);
        actual.shape.ShouldBe(expected.shape);
        actual.contiguous().bytes.ToArray().ShouldBe(expected.contiguous().bytes.ToArray());
    }
}
