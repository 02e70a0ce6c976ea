using System.Globalization;
using System.Numerics;

namespace Wisca.Tests;

/// <summary>The rules of the safetensors header once more, as plainly as they can be put, to hold the library's reader against.</summary>
internal static class ReferenceHeader
{
    private static readonly Dictionary<string, int> Bits = new()
    {
        ["BOOL"] = 8, ["U8"] = 8, ["I8"] = 8, ["F8_E5M2"] = 8, ["F8_E4M3"] = 8, ["F8_E8M0"] = 8, ["F4"] = 4, ["F6_E2M3"] = 6,
        ["F6_E3M2"] = 6,
        ["I16"] = 16, ["U16"] = 16, ["F16"] = 16, ["BF16"] = 16, ["I32"] = 32, ["U32"] = 32, ["F32"] = 32, ["C64"] = 64, ["F64"] = 64,
        ["I64"] = 64, ["U64"] = 64,
    };

    /// <summary>True where a header (without its length prefix) describes exactly the data that follows it.</summary>
    public static bool IsValid(ReadOnlySpan<byte> header, long dataLength)
    {
        if (header.IsEmpty || header[0] != (byte)'{' || !ReferenceJson.TryParse(header, out object? root)) return false;
        var entries = (List<KeyValuePair<string, object?>>)root!;
        if (HasDuplicates(entries)) return false;
        var ranges = new List<(BigInteger Begin, BigInteger End)>();
        foreach (var (name, value) in entries)
        {
            if (name == "__metadata__" && value is null) continue;
            if (value is not List<KeyValuePair<string, object?>> fields || HasDuplicates(fields)) return false;
            if (name == "__metadata__")
            {
                if (fields.Exists(field => field.Value is not string)) return false;
                continue;
            }

            var byName = fields.ToDictionary();
            if (byName.Count != 3 || byName.GetValueOrDefault("dtype") is not string dtype || !Bits.TryGetValue(dtype, out int bits))
                return false;
            if (
                Numbers(byName.GetValueOrDefault("shape")) is not { } shape
                || Numbers(byName.GetValueOrDefault("data_offsets")) is not [var begin, var end])
                return false;
            var size = shape.Aggregate(new BigInteger(bits), BigInteger.Multiply);
            if (end < begin || size != (end - begin) * 8) return false;
            ranges.Add((begin, end));
        }

        var covered = BigInteger.Zero;
        foreach (var (begin, end) in ranges.Order())
        {
            if (begin != covered) return false;
            covered = end;
        }

        return covered == dataLength;
    }

    private static bool HasDuplicates(List<KeyValuePair<string, object?>> fields) =>
        fields.DistinctBy(field => field.Key, StringComparer.Ordinal).Count() < fields.Count;

    private static List<BigInteger>? Numbers(object? value)
    {
        if (value is not List<object?> items) return null;
        var numbers = new List<BigInteger>();
        foreach (object? item in items)
        {
            if (item is not ReferenceJson.Number { Text: var text } || !text.All(char.IsAsciiDigit)) return null;
            var number = BigInteger.Parse(text, CultureInfo.InvariantCulture);
            if (number > long.MaxValue) return null;
            numbers.Add(number);
        }

        return numbers;
    }
}
