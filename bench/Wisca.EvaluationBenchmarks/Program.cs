// Tokens scored per second on the questions of ARC-Challenge, beside the model's own forward pass on full batches. The two alternate, so
// that the load of the machine meets both; figures are medians over rounds.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Scoring;
using Wisca.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

if (Environment.GetEnvironmentVariable("WISCA_DATA") is not { Length: > 0 } data)
{
    Console.Error.WriteLine("WISCA_DATA is not set: it names the folder that holds models/TinyStories-656K and eval/raw/arc");
    return 1;
}

TorchRuntime.Threads = (int)Number("--threads", Environment.ProcessorCount);
int rounds = (int)Number("--rounds", 5), items = (int)Number("--items", 300);
var options = new ScoringOptions { BatchSize = (int)Number("--batch-size", 32) };
string folder = Path.Combine(data, "models", "TinyStories-656K");
var tokenizer = TokenizerLoader.Load(folder);
var requests = Questions(Path.Combine(data, "eval", "raw", "arc", "ARC-Challenge-Test.jsonl"))
    .Take(items)
    .SelectMany(item => item)
    .ToList();
using var checkpoint = Checkpoint.Open(folder);
using Decoder small = Decoder.Load(checkpoint),
    large = Decoder.Create(DecoderConfig.From(ModelConfig.Parse(Large(tokenizer.VocabularySize))), seed: 1);

// As many tokens as a batch of the scorer has, in sequences of about the length of a question with its answers.
const int length = 128;
int sequences = options.BatchTokens / length;
Console.WriteLine(
    $"  {TorchRuntime.Threads} threads, {items} questions, {requests.Count} requests, {rounds} rounds; "
    + $"forward passes of {sequences} x {length} tokens");
foreach (var (name, model) in ((string, Decoder)[])[("656K", small), ("10M", large)])
{
    long[] ids = [.. Enumerable.Range(0, sequences * length).Select(i => (long)(i * 7919 % tokenizer.VocabularySize))];
    var (forward, encoding, scoring) = (new List<double>(), new List<double>(), new List<double>());
    ScoringCounts counts = default;
    for (int round = -1; round < rounds; round++)
    {
        double pass = Seconds(() => Forward(model, ids, sequences));
        var scorer = new ModelScorer(model, tokenizer, options);
        double encoded = Seconds(() =>
        {
            foreach (var request in requests) scorer.Encoder.Encode(request);
        });
        double scored = Seconds(() => scorer.Score(requests));
        counts = scorer.Counts;
        if (round < 0) continue;
        forward.Add(ids.Length / pass);
        encoding.Add(encoded);
        scoring.Add(scored);
    }

    double reference = Median(forward), seconds = Median(scoring);
    double[] ratios = [.. scoring.Zip(forward, (time, speed) => counts.ModelTokens / time / speed)];
    Console.WriteLine(FormattableString.Invariant($"  {name,-5} forward {reference,8:0} tokens/s"));
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"        scoring {counts.ModelTokens / seconds,8:0} tokens/s through the model "
        + $"({counts.ModelTokens}, contexts once; {counts.PaddedTokens} with padding): "
        + $"{Median(ratios):0.00} of forward ({ratios.Min():0.00} to {ratios.Max():0.00})"));
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"                {counts.RequestTokens / seconds,8:0} tokens/s of requests "
        + $"({counts.RequestTokens}, each with its own context): "
        + $"{Median(ratios) * counts.RequestTokens / counts.ModelTokens:0.00} of forward"));
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"                {requests.Count / seconds,8:0} requests/s; "
        + $"making ids of each by itself takes {100 * Median(encoding) / seconds:0} % of the time"));
}

return 0;

static void Forward(Decoder model, long[] ids, int sequences)
{
    using var ungraded = no_grad();
    using var scope = NewDisposeScope();
    model.forward(tensor(ids, [sequences, ids.Length / sequences])).sum().ToDouble();
}

static IEnumerable<LogLikelihoodRequest[]> Questions(string path)
{
    foreach (string line in File.ReadLines(path))
    {
        using var item = JsonDocument.Parse(line);
        var question = item.RootElement.GetProperty("question");
        string context = $"Question: {question.GetProperty("stem").GetString()}\nAnswer:";
        yield return
        [
            .. question
                .GetProperty("choices")
                .EnumerateArray()
                .Select(choice => new LogLikelihoodRequest(context, " " + choice.GetProperty("text").GetString())),
        ];
    }
}

static string Large(int vocabulary) => $$"""
    {
      "model_type": "llama", "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 6,
      "num_key_value_heads": 2, "vocab_size": {{vocabulary}}, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
      "hidden_act": "silu", "tie_word_embeddings": true
    }
    """;

static double Seconds(Action action)
{
    long began = Stopwatch.GetTimestamp();
    action();
    return Stopwatch.GetElapsedTime(began).TotalSeconds;
}

static double Median(IEnumerable<double> values)
{
    double[] sorted = [.. values.Order()];
    return sorted[sorted.Length / 2];
}

double Number(string name, double otherwise)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? double.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
}
