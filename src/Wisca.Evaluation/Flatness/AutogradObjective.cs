using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// A loss that is a sum over items, differentiated by libtorch. Items go through in passes, so that only one pass's graph is in memory.
/// Gradients are sums over passes; a Hessian-vector product is the gradient of gradient times vector, pass by pass (Pearlmutter 1994).
/// </summary>
public abstract class AutogradObjective : IObjective
{
    private readonly int _items, _itemsPerPass;

    /// <param name="parameters">The parameters; each must require a gradient.</param>
    /// <param name="items">Number of items.</param>
    /// <param name="itemsPerPass">How many of them go through together.</param>
    protected AutogradObjective(ParameterSpace parameters, int items = 1, int itemsPerPass = 1)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentOutOfRangeException.ThrowIfLessThan(items, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(itemsPerPass, 1);
        Parameters = parameters;
        (_items, _itemsPerPass) = (items, itemsPerPass);
    }

    /// <inheritdoc />
    public ParameterSpace Parameters { get; }

    /// <inheritdoc />
    public double Loss(CancellationToken cancellation = default)
    {
        using var ungraded = no_grad();
        double sum = 0;
        foreach (var (first, count) in Passes(_itemsPerPass))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            sum += LossOf(first, count).AsDouble();
        }

        return sum;
    }

    /// <inheritdoc />
    public Tensor Gradient(CancellationToken cancellation = default) =>
        Sum(Parameters.Names.ToHashSet(), _itemsPerPass, "gradient", (loss, inputs, _) => autograd.grad([loss], inputs), cancellation);

    /// <inheritdoc />
    public Tensor HessianVectorProduct(Tensor vector, IReadOnlySet<string>? only = null, CancellationToken cancellation = default) =>
        Sum(
            only ?? Parameters.Names.ToHashSet(),
            _itemsPerPass,
            "product of Hessian and vector",
            (loss, inputs, selected) =>
            {
                var directions = Parameters.Split(vector);
                var gradients = autograd.grad([loss], inputs, retain_graph: true, create_graph: true);
                var slope = gradients.Select((gradient, i) => (gradient * directions[selected[i]]).sum()).Aggregate((a, b) => a.Plus(b));
                return autograd.grad([slope.Plus(Anchor(inputs))], inputs);
            },
            cancellation);

    /// <summary>
    /// The squares of the gradients of single items, summed, [dimension]: what Adam's second moments estimate (the empirical Fisher
    /// information's diagonal, up to a factor).
    /// </summary>
    public Tensor SquaredGradients(IReadOnlySet<string>? only = null, CancellationToken cancellation = default) =>
        Sum(
            only ?? Parameters.Names.ToHashSet(),
            1,
            "gradient",
            (loss, inputs, _) => [.. autograd.grad([loss], inputs).Select(gradient => gradient.Squared())],
            cancellation);

    /// <summary>The part that some items have in the loss, a scalar; the parts of all items add up to the loss.</summary>
    /// <param name="first">The first item.</param>
    /// <param name="count">How many.</param>
    protected abstract Tensor LossOf(int first, int count);

    private Tensor Sum(
        IReadOnlySet<string> only, int itemsPerPass, string what, Func<Tensor, Tensor[], int[], IEnumerable<Tensor>> differentiate,
        CancellationToken cancellation)
    {
        int[] selected = [.. Enumerable.Range(0, Parameters.Names.Count).Where(index => only.Contains(Parameters.Names[index]))];
        Tensor[] inputs = [.. selected.Select(index => Parameters.Tensors[index])];
        using var scope = NewDisposeScope();
        var sum = zeros([Parameters.Dimension], Parameters.Dtype, Parameters.Device);
        var parts = Parameters.Split(sum);
        foreach (var (first, count) in Passes(itemsPerPass))
        {
            cancellation.ThrowIfCancellationRequested();
            using var graded = enable_grad();
            using var pass = NewDisposeScope();
            var results = differentiate(LossOf(first, count).Plus(Anchor(inputs)), inputs, selected);
            using var ungraded = no_grad();
            foreach (var (index, result) in selected.Zip(results)) parts[index].Plus_(result);
        }

        if (!double.IsFinite(sum.sum(ScalarType.Float64).AsDouble()))
            throw new WiscaException(
                $"the {what} is not finite",
                "the loss overflows at these weights; is the model intact, and its text one that it can read?");
        return sum.MoveToOuterDisposeScope();
    }

    /// <summary>Zero, as a function of every input: libtorch ends the process over one that the loss does not depend on.</summary>
    private static Tensor Anchor(Tensor[] inputs) => inputs.Select(input => input.sum().Times(0)).Aggregate((a, b) => a.Plus(b));

    private IEnumerable<(int First, int Count)> Passes(int itemsPerPass)
    {
        for (int first = 0; first < _items; first += itemsPerPass) yield return (first, Math.Min(itemsPerPass, _items - first));
    }
}
