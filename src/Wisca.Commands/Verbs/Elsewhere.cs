using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Wisca.Commands.Verbs;

/// <summary>
/// The verbs that a program without libtorch does not have: it shows their help and completes them like the program that has them, and says
/// in one line where they are. <c>elsewhere.json</c> is made of that program.
/// </summary>
internal static class Elsewhere
{
    private const string Resource = "elsewhere.json";

    /// <summary>The verbs, which refuse to run.</summary>
    public static IEnumerable<Command> Verbs()
    {
        using var stream = typeof(Elsewhere).Assembly.GetManifestResourceStream(Resource)!;
        return [.. JsonSerializer.Deserialize(stream, ElsewhereJson.Default.VerbDescriptionArray)!.Select(verb => verb.ToCommand())];
    }

    /// <summary>What is said where something is asked for that runs models.</summary>
    /// <param name="what">What was asked for.</param>
    public static WiscaException NeedsLibtorch(string what) => new(
        $"{what} needs libtorch, which this build of wisca is without",
        "in a clone of the repository ./wisca builds the program that has it (README.md, Install)");

    /// <summary>As JSON, for the file.</summary>
    internal static string Describe(IEnumerable<Command> verbs) => JsonSerializer.Serialize(
        [.. verbs.Select(VerbDescription.Of)], ElsewhereJson.Default.VerbDescriptionArray);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(VerbDescription[]))]
internal sealed partial class ElsewhereJson : JsonSerializerContext;
