using System.Globalization;

namespace Wisca.Rescaling;

/// <summary>The part of a tensor that a group scales.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Axis">0 for rows (and a bias), 1 for columns.</param>
/// <param name="Exponent">+1 where it is multiplied by the factor, -1 where it is divided.</param>
/// <param name="Indices">The indices along the axis: <c>0-31,64-95</c>.</param>
public sealed record LedgerSlice(string Tensor, int Axis, int Exponent, string Indices)
{
    /// <summary>The indices one by one, in ascending order.</summary>
    internal IEnumerable<int> Enumerate()
    {
        foreach (var (first, last) in Ranges())
        {
            for (int index = first; index <= last; index++) yield return index;
        }
    }

    /// <summary>The highest index; -1 where there is none.</summary>
    internal int Highest() => Ranges().Select(range => range.Last).LastOrDefault(-1);

    internal bool HasValidIndices()
    {
        int least = 0;
        foreach (var (first, last) in Ranges())
        {
            if (first < least || last < first || last == int.MaxValue) return false;
            least = last + 1;
        }

        return true;
    }

    /// <summary>The ranges as they are written; -1 in the place of what is not a number.</summary>
    private IEnumerable<(int First, int Last)> Ranges()
    {
        foreach (string range in Indices.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            int dash = range.IndexOf('-');
            int first = Parse(dash < 0 ? range : range[..dash]);
            yield return (first, dash < 0 ? first : Parse(range[(dash + 1)..]));
        }

        static int Parse(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : -1;
    }
}
