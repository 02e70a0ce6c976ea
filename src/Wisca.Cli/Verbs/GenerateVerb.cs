using System.CommandLine;
using System.Text.Json;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Torch;
using Wisca.Torch.Generation;
using Wisca.Torch.Models;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca generate MODEL --prompt TEXT</c>: lets a model continue a text.</summary>
internal static class GenerateVerb
{
    private const int DefaultTokens = 128;

    public static Command Create(CommandContext context)
    {
        var model = SharedOptions.Model();
        var prompt = new Option<string>("--prompt")
        {
            Description = "The beginning of the text; empty for the model's own beginning.",
            HelpName = "TEXT",
            Required = true,
        };
        var most = SharedOptions.Number(
            "--max-tokens", $"End after this many tokens (default: {DefaultTokens}, or fewer where the model's positions end).", "N", 1,
            1 << 24);
        var temperature = SharedOptions.Number(
            "--temperature", "0 takes the most probable token each time (default: 1).", "T", 0.0, 1000.0);
        var topK = SharedOptions.Number("--top-k", "Draw from this many of the most probable tokens only.", "K", 1, 1 << 24);
        var topP = SharedOptions.Number(
            "--top-p", "Draw from the fewest most probable tokens that have this much of the probability.", "P", 1e-9, 1.0);
        var seed = SharedOptions.Number("--seed", "Seed of the draws (default: 0).", "S", 0UL, ulong.MaxValue);
        var threads = SharedOptions.Threads();
        var command = new Command("generate", "Let a model continue a text.")
        {
            model, prompt, most, temperature, topK, topP, seed, threads,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(
            context,
            parsed.GetRequiredValue(model),
            parsed.GetRequiredValue(prompt),
            parsed.GetResult(most) is null ? null : parsed.GetValue(most),
            new SamplingOptions
            {
                Temperature = parsed.GetResult(temperature) is null ? 1 : parsed.GetValue(temperature),
                TopK = parsed.GetResult(topK) is null ? null : parsed.GetValue(topK),
                TopP = parsed.GetResult(topP) is null ? null : parsed.GetValue(topP),
                Seed = parsed.GetValue(seed),
            },
            parsed.GetValue(threads),
            cancellation)));
        return command;
    }

    private static int Run(
        CommandContext context, string model, string prompt, int? most, SamplingOptions options, int threads,
        CancellationToken cancellation)
    {
        using var checkpoint = Checkpoint.Open(model);
        context.NoteAdapter(model);
        var config = DecoderConfig.From(checkpoint.Config);
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        int[] ids = tokenizer.Encode(prompt);
        if (ids.Length == 0 && (tokenizer.BosId ?? tokenizer.EosId) is { } beginning) ids = [beginning];
        TorchRuntime.Require();
        TorchRuntime.Threads = threads;
        using var decoder = Decoder.Load(checkpoint);
        int count = most ?? Math.Clamp(config.MaxPositions - ids.Length, 1, DefaultTokens);
        var tokens = TokenGenerator.Generate(decoder, ids, count, options, Stops(checkpoint.Config, tokenizer), cancellation);
        var stream = new IncrementalDecoder(tokenizer, ids);
        context.StandardOutput.Write(stream.Begin());
        foreach (int token in tokens)
        {
            context.StandardOutput.Write(stream.Add(token));
            context.StandardOutput.Flush();
        }

        context.StandardOutput.WriteLine(stream.End());
        return 0;
    }

    /// <summary>The tokens that end a text: the tokenizer's and those of the configuration, which may list several.</summary>
    private static HashSet<int> Stops(ModelConfig config, Tokenizer tokenizer)
    {
        var stops = new HashSet<int>();
        if (tokenizer.EosId is { } end) stops.Add(end);
        if (config.Find("eos_token_id") is not { } stated) return stops;
        var listed = stated.ValueKind == JsonValueKind.Array ? stated.EnumerateArray().ToArray() : [stated];
        foreach (var entry in listed)
        {
            if (entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out int id)) stops.Add(id);
        }

        return stops;
    }
}
