namespace Wisca.Data.Tests.Tokenizers;

/// <summary>A whole file of the data folder, the number of its ids, and their SHA-256 as little-endian int32.</summary>
internal sealed record GoldenCorpus(string Corpus, int Count, string Sha256);
