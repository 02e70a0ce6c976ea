namespace Wisca.Rescaling;

/// <summary>The part of a tensor that a group scales.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Axis">0 for rows (and a bias), 1 for columns.</param>
/// <param name="Exponent">+1 where it is multiplied by the factor, -1 where it is divided.</param>
/// <param name="Indices">The indices along the axis: <c>0-31,64-95</c>.</param>
public sealed record LedgerSlice(string Tensor, int Axis, int Exponent, string Indices)
{
    /// <summary>The indices one by one.</summary>
    /// <exception cref="FormatException">The text is not a list of ranges.</exception>
    internal IEnumerable<int> Enumerate()
    {
        foreach (string range in Indices.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            int dash = range.IndexOf('-');
            int first = int.Parse(dash < 0 ? range : range[..dash]), last = dash < 0 ? first : int.Parse(range[(dash + 1)..]);
            for (int index = first; index <= last; index++) yield return index;
        }
    }
}
