using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>Named tensors as one long vector: the space in which a loss has its gradient and Hessian.</summary>
public sealed class ParameterSpace
{
    private readonly long[] _offsets;

    /// <param name="parameters">The tensors themselves, not copies; all of one element type.</param>
    /// <exception cref="ArgumentException">There is none, or they differ in type.</exception>
    public ParameterSpace(IEnumerable<(string Name, Tensor Value)> parameters)
    {
        var all = parameters.ToList();
        if (all.Count == 0) throw new ArgumentException("no parameters", nameof(parameters));
        Names = [.. all.Select(entry => entry.Name)];
        Tensors = [.. all.Select(entry => entry.Value)];
        Dtype = Tensors[0].dtype;
        if (Tensors.Any(tensor => tensor.dtype != Dtype))
            throw new ArgumentException("parameters of several element types", nameof(parameters));
        _offsets = new long[all.Count];
        foreach (int index in Enumerable.Range(0, all.Count))
        {
            _offsets[index] = Dimension;
            Dimension += Tensors[index].numel();
        }
    }

    /// <summary>The names, in the order of the vector.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The tensors, in the order of the vector.</summary>
    public IReadOnlyList<Tensor> Tensors { get; }

    /// <summary>The element type of all of them.</summary>
    public ScalarType Dtype { get; }

    /// <summary>Number of elements of all of them.</summary>
    public long Dimension { get; }

    /// <summary>Where the vectors are.</summary>
    public Device Device => Tensors[0].device;

    /// <summary>Views of a vector, one of each tensor's shape.</summary>
    public Tensor[] Split(Tensor vector)
    {
        ArgumentNullException.ThrowIfNull(vector);
        if (vector.dim() != 1 || vector.shape[0] != Dimension)
            throw new ArgumentException($"expected a vector of {Dimension} elements", nameof(vector));
        return [.. Tensors.Select((tensor, index) => vector.narrow(0, _offsets[index], tensor.numel()).view(tensor.shape))];
    }

    /// <summary>Tensors behind each other as a new vector.</summary>
    public static Tensor Flatten(IEnumerable<Tensor> parts)
    {
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();

        // TorchSharp's cat of a single tensor is that tensor, and would not be a copy.
        return cat([.. parts.Select(part => part.detach().flatten().clone())], 0).MoveToOuterDisposeScope();
    }

    /// <summary>A copy of the present values.</summary>
    public Tensor Values() => Flatten(Tensors);

    /// <summary>Moves to a point.</summary>
    public void Set(Tensor values)
    {
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (tensor, value) in Tensors.Zip(Split(values))) tensor.copy_(value);
    }

    /// <summary>Does something at points of its choice and goes back to the present one, to the last bit, whatever happens.</summary>
    /// <param name="work">Is given the present point; it may <see cref="Set"/> others.</param>
    internal T Around<T>(Func<Tensor, T> work)
    {
        using var scope = NewDisposeScope();
        var origin = Values();
        try
        {
            return work(origin);
        }
        finally
        {
            Set(origin);
        }
    }

    /// <summary>Refuses another space that is not of the same names and shapes.</summary>
    /// <param name="other">The other.</param>
    /// <param name="what">What it belongs to, for the message.</param>
    internal void RequireSame(ParameterSpace other, string what)
    {
        if (!Names.SequenceEqual(other.Names))
            throw new WiscaException(
                $"{what} has other tensors: "
                + $"{Names.Except(other.Names).Concat(other.Names.Except(Names)).FirstOrDefault() ?? "in another order"}",
                "the line between two models needs two of the same architecture");
        foreach (var (name, here, there) in Names.Zip(Tensors, other.Tensors))
        {
            if (!here.shape.SequenceEqual(there.shape))
                throw new WiscaException(
                    $"{what} has {name} of shape [{string.Join(", ", there.shape)}], expected [{string.Join(", ", here.shape)}]",
                    "the line between two models needs two of the same size");
        }
    }
}
