using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Wisca.Architectures;

/// <summary>The built-in tables.</summary>
public static class KnownArchitectures
{
    private const string Folder = "Architectures/";
    private static readonly Lazy<ImmutableArray<ArchitectureTable>> Tables = new(ReadAll);

    private static readonly Lazy<ImmutableArray<RefusedArchitecture>> RefusedTypes = new(ReadRefused);

    /// <summary>The model types of which nothing is moved, and why.</summary>
    public static ImmutableArray<RefusedArchitecture> Refused => RefusedTypes.Value;

    /// <summary>Every table, by name.</summary>
    public static ImmutableArray<ArchitectureTable> All => Tables.Value;

    /// <summary>The table for a <c>model_type</c>, which may be that of a multimodal model around a known text model.</summary>
    /// <param name="modelType">The type.</param>
    /// <param name="origin">What the message calls it: where it comes from.</param>
    /// <exception cref="WiscaException">No table covers it; the message says why, or lists the nearest known ones.</exception>
    public static ArchitectureTable Find(string modelType, string origin = "config.json: model_type")
    {
        ArgumentNullException.ThrowIfNull(modelType);
        if (TryFind(modelType, out var table, wrappers: true)) return table;
        if (Refused.FirstOrDefault(refused => refused.ModelTypes.Contains(modelType, StringComparer.OrdinalIgnoreCase)) is { } known)
            throw new WiscaException(
                $"{origin} '{modelType}' has nothing that is moved: {known.Reason}", "'wisca architectures' lists the families that have");
        var nearest = All.SelectMany(candidate => candidate.ModelTypes.Concat(candidate.Wrappers ?? []))
            .OrderBy(candidate => Distance(candidate.ToLowerInvariant(), modelType.ToLowerInvariant()))
            .ThenBy(candidate => candidate, StringComparer.Ordinal).Take(3);
        throw new WiscaException(
            $"{origin} '{modelType}' is not known; the nearest known ones are {string.Join(", ", nearest)}",
            "see 'wisca architectures'; a table of your own is given with --architecture file.json");
    }

    /// <summary>Finds the table for a <c>model_type</c>.</summary>
    /// <param name="modelType">The type.</param>
    /// <param name="table">The table.</param>
    /// <param name="wrappers">True to take a wrapper of a family for the family.</param>
    internal static bool TryFind(string modelType, [NotNullWhen(true)] out ArchitectureTable? table, bool wrappers)
    {
        // Most types have a table of their own name; to read that one alone takes a fraction of the time.
        if (
            !Tables.IsValueCreated
            && ReadJson(modelType) is { } json
            && ArchitectureTable.Parse(json, $"{modelType}.json") is var own
            && own.Covers(modelType))
            table = own;
        else table = All.FirstOrDefault(table => table.Covers(modelType) || (wrappers && table.Wraps(modelType)));
        return table is not null;
    }

    /// <summary>The built-in JSON of a table, byte for byte; null where there is none of that name.</summary>
    internal static byte[]? ReadJson(string name) => ReadResource($"{Folder}{name}.json");

    private static ImmutableArray<RefusedArchitecture> ReadRefused() => [.. TableReader.ReadRefused(ReadResource("refused.json")!)];

    private static byte[]? ReadResource(string name)
    {
        using var stream = typeof(KnownArchitectures).Assembly.GetManifestResourceStream(name);
        if (stream is null) return null;
        byte[] json = new byte[stream.Length];
        stream.ReadExactly(json);
        return json;
    }

    private static ImmutableArray<ArchitectureTable> ReadAll() =>
    [
        .. typeof(KnownArchitectures).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .Select(name => Path.GetFileNameWithoutExtension(name[Folder.Length..]))
            .Select(name => ArchitectureTable.Parse(ReadJson(name)!, $"{name}.json")),
    ];

    /// <summary>Levenshtein distance, one row at a time.</summary>
    internal static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
