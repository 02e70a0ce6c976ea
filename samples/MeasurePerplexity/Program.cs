// Measures the perplexity of a text. With two arguments, a model folder and a text file, of those; without, of a small random model.
using Wisca.Checkpoints;
using Wisca.Data.Corpora;
using Wisca.Data.Corpora.Stories;
using Wisca.Data.Tokenizers.Training;
using Wisca.Evaluation.Scoring;
using Wisca.Torch.Models;

string work = Directory.CreateTempSubdirectory("wisca-sample-").FullName;
string folder = args.Length > 0 ? args[0] : MakeModel(Path.Combine(work, "model"));
var texts = args.Length > 1 ? CorpusReader.Open([args[1]]).Documents() : new StoryGenerator(seed: 2).Stories().Take(20);

PerplexitySums sums;
using (var model = EvaluatedModel.Open(folder, ComputePrecision.F32, threads: Environment.ProcessorCount))
    sums = new Perplexity(model.Scorer).Measure(texts);     // as the wikitext task of the Language Model Evaluation Harness
Console.WriteLine($"{sums.Documents} documents, {sums.Tokens} tokens");
Console.WriteLine($"token perplexity {sums.TokenPerplexity:0.00}, word perplexity {sums.WordPerplexity:0.00e+0}");
Console.WriteLine($"bits per byte    {sums.BitsPerByte:0.000}");

// A random model knows nothing: every byte costs it about the logarithm of the vocabulary.
bool expected = args.Length > 0 || Math.Abs(sums.BitsPerByte - Math.Log2(ByteTokenizer.EosId + 1)) < 0.5;
Directory.Delete(work, recursive: true);
return expected ? 0 : 1;

static string MakeModel(string folder)
{
    using var model = Decoder.Create(
        DecoderConfig.From(ModelConfig.Parse("""
            {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "max_position_embeddings": 128, "vocab_size": 257}
            """)),
        seed: 1);
    model.Save(folder);
    ByteTokenizer.Create().Save(folder);
    return folder;
}
