using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Wisca.Fuzz;

/// <summary>Makes valid safetensors headers of all kinds.</summary>
internal static class ValidHeader
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly (string Name, int Bits)[] Dtypes =
    [
        ("BOOL", 8), ("U8", 8), ("F8_E4M3", 8), ("I16", 16), ("F16", 16), ("BF16", 16), ("F32", 32), ("I32", 32), ("F64", 64), ("I64", 64),
        ("C64", 64), ("F4", 4), ("F6_E2M3", 6),
    ];

    private static readonly string[] Names =
    [
        "a", "b", "w.weight", "model.layers.0.self_attn.q_proj.weight", "é", "日本", "\U0001F600", "x\"y", "", "\n", "__metadata", "dtype",
    ];

    /// <summary>A header and the length of the data it describes.</summary>
    public static (string Json, long DataLength) Create(Random random)
    {
        long begin = 0;
        var entries = new List<KeyValuePair<string, JsonNode?>>();
        foreach (string name in random.GetItems(Names, random.Next(0, 6)).Distinct())
        {
            var (dtype, bits) = Dtypes[random.Next(Dtypes.Length)];
            long[] shape = [.. Enumerable.Range(0, random.Next(0, 4)).Select(_ => (long)random.Next(0, 5)), .. bits < 8 ? (long[])[8] : []];
            long length = shape.Aggregate(1L, (product, dimension) => product * dimension) * bits / 8;
            KeyValuePair<string, JsonNode?>[] fields =
            [
                KeyValuePair.Create("dtype", (JsonNode?)dtype),
                KeyValuePair.Create("shape", (JsonNode?)new JsonArray([.. shape.Select(dimension => (JsonNode?)dimension)])),
                KeyValuePair.Create("data_offsets", (JsonNode?)new JsonArray(begin, begin + length)),
            ];
            random.Shuffle(fields);
            entries.Add(KeyValuePair.Create(name, (JsonNode?)new JsonObject(fields)));
            begin += length;
        }

        if (random.Next(2) == 0)
            entries.Add(
                KeyValuePair.Create(
                    "__metadata__",
                    random.Next(4) == 0 ? null : (JsonNode?)new JsonObject { ["format"] = "pt", ["k"] = "\u00e9" }));
        var shuffled = entries.ToArray();
        random.Shuffle(shuffled);
        return (new JsonObject(shuffled).ToJsonString(Plain), begin);
    }
}
