using System.CommandLine;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
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
            "--max-tokens",
            $"End after this many tokens (default: what the model's generation_config.json says, or {DefaultTokens}; fewer where its "
            + "positions end).",
            "N", 1, 1 << 24);
        var temperature = SharedOptions.Number(
            "--temperature",
            "0 takes the most probable token each time (default: what the model's generation_config.json says, or 1).", "T", 0.0, 1000.0);
        var topK = SharedOptions.Number(
            "--top-k", "Draw from this many of the most probable tokens only (default: generation_config.json's, or all).", "K", 1,
            1 << 24);
        var topP = SharedOptions.Number(
            "--top-p",
            "Draw from the fewest most probable tokens that have this much of the probability (default: generation_config.json's, or "
            + "all).",
            "P", 1e-9, 1.0);
        var seed = SharedOptions.Number("--seed", "Seed of the draws (default: 0).", "S", 0UL, ulong.MaxValue);
        var threads = SharedOptions.Threads();
        var command = new Command("generate", "Let a model continue a text.")
        {
            model, prompt, most, temperature, topK, topP, seed, threads,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(
            context,
            new GenerateArguments
            {
                Model = parsed.GetRequiredValue(model),
                Prompt = parsed.GetRequiredValue(prompt),
                MaxTokens = parsed.GetResult(most) is null ? null : parsed.GetValue(most),
                Temperature = parsed.GetResult(temperature) is null ? null : parsed.GetValue(temperature),
                TopK = parsed.GetResult(topK) is null ? null : parsed.GetValue(topK),
                TopP = parsed.GetResult(topP) is null ? null : parsed.GetValue(topP),
                Seed = parsed.GetValue(seed),
                Threads = parsed.GetValue(threads),
            },
            cancellation)));
        return command;
    }

    private static int Run(CommandContext context, GenerateArguments arguments, CancellationToken cancellation)
    {
        using var checkpoint = Checkpoint.Open(arguments.Model);
        context.NoteAdapter(arguments.Model);
        var config = DecoderConfig.From(checkpoint.Config);
        var defaults = GenerationConfig.Load(checkpoint);
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        int[] ids = tokenizer.Encode(arguments.Prompt);
        if (ids.Length == 0 && (tokenizer.BosId ?? tokenizer.EosId) is { } beginning) ids = [beginning];
        int count = arguments.MaxTokens ?? Count(defaults, ids.Length, config.MaxPositions);
        TorchRuntime.Require();
        TorchRuntime.Threads = arguments.Threads;
        if (defaults.Unsupported.Count > 0)
            context.Note(
                $"{GenerationConfig.FileName} asks for what is not done here, and other text may come out: "
                + string.Join(", ", defaults.Unsupported));
        using var decoder = Decoder.Load(checkpoint);
        var tokens = TokenGenerator.Generate(
            decoder, ids, count, Options(arguments, defaults), Stops(defaults, tokenizer), cancellation);
        var stream = new IncrementalDecoder(tokenizer, ids);

        // What cannot be continued is refused before its beginning is written.
        using var next = tokens.GetEnumerator();
        bool more = next.MoveNext();
        context.StandardOutput.Write(stream.Begin());
        for (; more; more = next.MoveNext())
        {
            context.StandardOutput.Write(stream.Add(next.Current));
            context.StandardOutput.Flush();
        }

        context.StandardOutput.WriteLine(stream.End());
        return 0;
    }

    /// <summary>Flags rule over the model's own defaults; one that is about drawing asks for drawing.</summary>
    private static SamplingOptions Options(GenerateArguments arguments, GenerationConfig defaults)
    {
        bool asked = arguments.Temperature is not null || arguments.TopK is not null || arguments.TopP is not null;
        return new SamplingOptions
        {
            Temperature = arguments.Temperature ?? (defaults.Sample == false ? (asked ? 1 : 0) : defaults.Temperature ?? 1),
            TopK = arguments.TopK ?? defaults.TopK,
            TopP = arguments.TopP ?? defaults.TopP,
            MinP = defaults.MinP,
            RepetitionPenalty = defaults.RepetitionPenalty ?? 1,
            Seed = arguments.Seed,
        };
    }

    private static int Count(GenerationConfig defaults, int prompt, int positions)
    {
        int left = Math.Max(1, positions - prompt);
        if (defaults.MaxNewTokens is { } most) return Math.Min(most, left);
        if (defaults.MaxLength is not { } length) return Math.Min(DefaultTokens, left);
        return length > prompt
            ? Math.Min(length - prompt, left)
            : throw new WiscaException(
                $"the prompt has {prompt} tokens, and {GenerationConfig.FileName} allows {length} with what follows (max_length)",
                "say how many are to follow with --max-tokens");
    }

    /// <summary>The tokens that end a text: those of generation_config.json, else those of config.json and the tokenizer.</summary>
    private static HashSet<int> Stops(GenerationConfig defaults, Tokenizer tokenizer)
    {
        HashSet<int> stops = [.. defaults.EndTokens ?? new HashSet<int>()];
        if (!defaults.EndTokensRule && tokenizer.EosId is { } end) stops.Add(end);
        return stops;
    }
}
