using System.Text.Json;
using System.Text.Json.Serialization;

namespace Wisca.Library.Documents;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(PlanRequest))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(LedgerState))]
[JsonSerializable(typeof(PlanDescription))]
[JsonSerializable(typeof(SolveState))]
[JsonSerializable(typeof(ErrorDescription))]
internal sealed partial class LibraryJson : JsonSerializerContext
{
    /// <summary>Reads a document strictly.</summary>
    /// <exception cref="RequestException">It is not one.</exception>
    public static T Read<T>(string json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new RequestException($"{what} is null");
        }
        catch (JsonException exception)
        {
            throw new RequestException($"{what}: {exception.Message.Split('\n')[0]}");
        }
    }
}
