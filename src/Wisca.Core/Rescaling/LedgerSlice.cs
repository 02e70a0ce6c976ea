using System.Globalization;
using System.Text.Json.Serialization;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>The part of a tensor that a group scales.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Axis">0 for rows (and a bias), 1 for columns.</param>
/// <param name="Exponent">+1 where it is multiplied by the factor, -1 where it is divided, -2 where by its square.</param>
/// <param name="Indices">The indices along the axis: <c>0-31,64-95</c>.</param>
/// <param name="Parts">Number of matrices of a stack of which each has columns of its own, numbered through; null for one.</param>
/// <param name="AddsOne">True where what is multiplied is 1 plus what is stored.</param>
public sealed record LedgerSlice(
    string Tensor,
    int Axis,
    int Exponent,
    string Indices,
    int? Parts = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool AddsOne = false)
{
    /// <summary>The record of a slice.</summary>
    internal static LedgerSlice Of(ScaledAxis slice, string indices) =>
        new(slice.Tensor, slice.Axis, slice.Exponent, indices, slice.Parts > 1 ? slice.Parts : null, slice.AddsOne);

    /// <summary>The power of a factor that the slice is multiplied by.</summary>
    internal double Power(double factor) => Exponent switch
    {
        1 => factor,
        -1 => 1 / factor,
        _ => Math.Pow(factor, Exponent),
    };

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
