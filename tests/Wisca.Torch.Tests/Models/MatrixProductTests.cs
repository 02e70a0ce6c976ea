using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

[Collection(TorchCollection.Name)]
public sealed class MatrixProductTests
{
    /// <summary>Operands rounded to bfloat16, plain sums in float64, one rounding of the result:
    /// whichever instructions there are.</summary>
    [Theory]
    [InlineData(ScalarType.Float32, false)]
    [InlineData(ScalarType.Float32, true)]
    [InlineData(ScalarType.BFloat16, false)]
    public void Linear_BFloat16_IsTheRoundedProductOfRoundedOperands(ScalarType weightType, bool transposed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        Tensor x = randn([5, 96], generator: generator).to(ScalarType.BFloat16), b = randn([7], generator: generator);
        var w = transposed ? randn([96, 7], generator: generator).t() : randn([7, 96], generator: generator).to(weightType);
        var product = MatrixProduct.Linear(x, w, b);
        product.dtype.ShouldBe(ScalarType.BFloat16);
        double[,] left = Values(x),
            right = Values(w.to(ScalarType.BFloat16)),
            found = Values(product),
            bias = Values(b.to(ScalarType.BFloat16).unsqueeze(0));
        for (int row = 0; row < 5; row++)
        {
            for (int column = 0; column < 7; column++)
            {
                double sum = bias[0, column], size = Math.Abs(sum);
                for (int inner = 0; inner < 96; inner++)
                {
                    sum += left[row, inner] * right[column, inner];
                    size += Math.Abs(left[row, inner] * right[column, inner]);
                }

                // The result is rounded once or twice, the bias added before or after; the 96 products add up in float32.
                double allowed = (2 * Rounding.BFloat16 * Math.Abs(sum)) + (Rounding.Of(Rounding.Float32, 96) * size);
                Math.Abs(found[row, column] - sum).ShouldBeLessThanOrEqualTo(allowed);
            }
        }
    }

    [Fact]
    public void TypeFor_BFloat16_IsFloat32WhereThereAreNoInstructions()
    {
        using var scope = NewDisposeScope();
        MatrixProduct.TypeFor(zeros(1, ScalarType.BFloat16)).ShouldBe(TorchRuntime.FastBFloat16 ? ScalarType.BFloat16 : ScalarType.Float32);
        MatrixProduct.TypeFor(zeros(1, ScalarType.Float64)).ShouldBe(ScalarType.Float64);
        MatrixProduct.TypeFor(zeros(1, ScalarType.Float16)).ShouldBe(ScalarType.Float16);
    }

    private static double[,] Values(Tensor matrix)
    {
        double[] flat = matrix.to(ScalarType.Float64).contiguous().data<double>().ToArray();
        double[,] values = new double[matrix.shape[0], matrix.shape[1]];
        Buffer.BlockCopy(flat, 0, values, 0, flat.Length * sizeof(double));
        return values;
    }
}
