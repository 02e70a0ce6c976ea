using Wisca.Evaluation.Flatness;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

/// <summary>A Hessian written out, column by column.</summary>
internal static class DenseHessian
{
    /// <summary>By products with unit vectors, for some of the coordinates or all: [dimension, columns].</summary>
    public static Tensor Of(IObjective objective, IEnumerable<long>? coordinates = null)
    {
        long n = objective.Parameters.Dimension;
        using var scope = NewDisposeScope();
        var columns = (coordinates ?? Enumerable.Range(0, (int)n).Select(i => (long)i)).Select(coordinate =>
        {
            var unit = zeros([n], objective.Parameters.Dtype);
            unit[coordinate] = 1;
            return objective.HessianVectorProduct(unit);
        }).ToArray();
        return stack(columns, 1).MoveToOuterDisposeScope();
    }

    /// <summary>The sum of the diagonal over the coordinates of one tensor.</summary>
    public static double BlockTrace(IObjective objective, string name)
    {
        using var scope = NewDisposeScope();
        var space = objective.Parameters;
        int index = space.Names.ToList().IndexOf(name);
        long begin = space.Tensors.Take(index).Sum(tensor => tensor.numel());
        long[] coordinates = [.. Enumerable.Range(0, (int)space.Tensors[index].numel()).Select(i => begin + i)];
        return Of(objective, coordinates).index_select(0, tensor(coordinates)).diagonal().sum().AsDouble();
    }
}
