namespace Wisca.Transitions;

/// <summary>Multiplies the factors of exchanges up, tensor by tensor and axis by axis.</summary>
/// <param name="lengthOf">The length of a tensor's axis: of columns, that of one matrix.</param>
internal sealed class FactorProduct(Func<string, int, int> lengthOf)
{
    private readonly Dictionary<string, AxisFactors> _factors = new(StringComparer.Ordinal);

    /// <summary>The factors of a tensor; null where nothing has touched it.</summary>
    public AxisFactors? Of(string tensor) => _factors.GetValueOrDefault(tensor);

    /// <summary>The tensors that something scales.</summary>
    public Dictionary<string, AxisFactors> Changed() =>
        _factors.Where(entry => !entry.Value.IsIdentity).ToDictionary(
            entry => entry.Key,
            entry => entry.Value with { Rows = WithoutOnes(entry.Value.Rows), Columns = WithoutOnes(entry.Value.Columns) },
            StringComparer.Ordinal);

    /// <summary>Multiplies all slices of an exchange.</summary>
    public void Multiply(Exchange exchange, Func<int, double> factorOf)
    {
        foreach (var slice in exchange.Slices)
        {
            double[] along = Along(slice.Tensor, slice.Axis, slice.Parts, slice.AddsOne);
            int length = lengthOf(slice.Tensor, slice.Axis), repeats = along.Length / (length * slice.Parts);
            foreach (var (index, group) in exchange.Indices(slice))
            {
                double power = slice.Power(factorOf(group));
                for (int part = 0; part < repeats; part++) along[index + (part * length)] *= power;
            }
        }
    }

    /// <summary>The factors along an axis, ones at first; columns that all matrices of a stack share become a set for each where some have
    /// their own.</summary>
    public double[] Along(string tensor, int axis, int parts, bool addsOne)
    {
        int length = lengthOf(tensor, axis) * parts;
        var entry = _factors.GetValueOrDefault(tensor) ?? new AxisFactors(null, null) { AddsOne = addsOne };
        double[] along = entry.Of(axis) ?? [];
        if (along.Length < length)
        {
            double[] old = along;
            along = new double[length];
            for (int i = 0; i < length; i++) along[i] = old.Length == 0 ? 1 : old[i % old.Length];
            entry = axis == 0 ? entry with { Rows = along } : entry with { Columns = along };
        }

        _factors[tensor] = entry;
        return along;
    }

    /// <summary>The tensors that something was multiplied onto, be the product 1.</summary>
    public Dictionary<string, AxisFactors> Touched() => _factors;

    private static double[]? WithoutOnes(double[]? factors) =>
        factors is null || Array.TrueForAll(factors, factor => factor == 1) ? null : factors;
}
