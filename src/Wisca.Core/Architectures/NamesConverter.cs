using System.Text.Json;
using System.Text.Json.Serialization;

namespace Wisca.Architectures;

/// <summary>Writes names to JSON: one as a string, several as a list.</summary>
internal sealed class NamesConverter : JsonConverter<IReadOnlyList<string>>
{
    public override IReadOnlyList<string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("tables are read by TableReader");

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string> value, JsonSerializerOptions options)
    {
        if (value.Count == 1)
        {
            writer.WriteStringValue(value[0]);
            return;
        }

        writer.WriteStartArray();
        foreach (string name in value) writer.WriteStringValue(name);
        writer.WriteEndArray();
    }
}
