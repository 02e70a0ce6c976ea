using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Optimizers;

/// <summary>
/// mean |W2 W1 x + b - y|^2 on fixed random numbers: its value stays when W1 is multiplied and W2 divided by s.
/// </summary>
internal sealed class ToyModel : IDisposable
{
    public const string First = "layers.0.up.weight", Second = "layers.0.down.weight", Bias = "layers.0.down.bias";
    private readonly Tensor _input, _target;

    public ToyModel(ScalarType type = ScalarType.Float64)
    {
        using var scope = NewDisposeScope();
        W1 = Fill([6, 5], type, 1);
        W2 = Fill([4, 6], type, 2);
        B = Fill([4], type, 3);
        _input = Random([5, 7], 4, type).DetachFromDisposeScope();
        _target = Random([4, 7], 5, type).DetachFromDisposeScope();
    }

    public Parameter W1 { get; }

    public Parameter W2 { get; }

    public Parameter B { get; }

    public IEnumerable<(string name, Parameter parameter)> Parameters => [(First, W1), (Second, W2), (Bias, B)];

    /// <summary>Computes the loss and adds its gradients to the parameters'.</summary>
    public double Backward()
    {
        using var scope = NewDisposeScope();
        var error = W2.matmul(W1.matmul(_input)) + B.unsqueeze(1) - _target;
        var loss = (error * error).mean();
        loss.backward();
        return loss.AsDouble();
    }

    /// <summary>W1 *= s, W2 /= s, in place.</summary>
    public void Scale(double s)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        W1.mul_(s);
        W2.mul_(1 / s);
    }

    public static double[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }

    /// <summary>Numbers in [-1, 1) from the tests' own generator, so that the same model comes out with every torch seed.</summary>
    public static double[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Math.Round((random.NextDouble() * 2) - 1, 3))];
    }

    public static Tensor Random(long[] shape, int seed, ScalarType type) =>
        tensor(Numbers((int)shape.Aggregate(1L, (product, size) => product * size), seed)).reshape(shape).to(type);

    public static Parameter Fill(long[] shape, ScalarType type, int seed) =>
        (Parameter)new Parameter(Random(shape, seed, type)).DetachFromDisposeScope();

    public void Dispose()
    {
        W1.Dispose();
        W2.Dispose();
        B.Dispose();
        _input.Dispose();
        _target.Dispose();
    }
}
