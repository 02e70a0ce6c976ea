using System.Text.Json;

namespace Wisca.Data.Tests.Tokenizers.Training;

/// <summary>What Hugging Face's trainer learnt: all merges of some sentences, and a digest of the first merges of a whole corpus.</summary>
internal sealed record TrainedGolden(string[] Documents, string[] Merges, string Corpus, int Count, string Sha256)
{
    public static TrainedGolden Read() =>
        JsonSerializer.Deserialize<TrainedGolden>(File.ReadAllText(Fixture.PathOf("trained.json")), JsonSerializerOptions.Web)!;
}
