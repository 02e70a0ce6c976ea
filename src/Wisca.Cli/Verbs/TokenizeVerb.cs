using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Data.Corpora;
using Wisca.Data.Tokenizers.Loading;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca tokenize SOURCE... --tokenizer FOLDER --out FILE</c>: turns texts into token files.</summary>
internal static class TokenizeVerb
{
    public static Command Create(CommandContext context)
    {
        var sources = new Argument<string[]>("SOURCE")
        {
            Description = "Files, folders and patterns ('texts/**/*.txt'): plain text, JSON lines and Parquet, all also as .gz or .zst.",
            Arity = ArgumentArity.OneOrMore,
        };
        var tokenizer = new Option<string>("--tokenizer", "-t")
        {
            Description = "A model folder, or its tokenizer.json, tokenizer.model or vocab.json.",
            HelpName = "FOLDER",
            Required = true,
        };
        var output = new Option<string>("--out", "-o")
        {
            Description = "The token file to write. It appears when it is complete.",
            HelpName = "FILE",
            Required = true,
        };
        var field = SharedOptions.Field();
        var separator = new Option<string>("--separator")
        {
            Description = "The line that separates documents in plain text; none: a file is one document.",
            HelpName = "LINE",
            DefaultValueFactory = _ => CorpusReaderOptions.EndOfText,
        };
        var heldOut = SharedOptions.Number(
            "--held-out", "Documents to hold out, into NAME.held-out.EXTENSION: a share below 1, or a number of them.", "SHARE", 0.0,
            int.MaxValue);
        var seed = SharedOptions.Number("--seed", "Which documents are held out.", "N", 0L, long.MaxValue);
        var eos = new Option<string?>("--eos")
        {
            Description = "The token that ends every document. Default: the tokenizer's own EOS.",
            HelpName = "TOKEN",
        };
        var specialTokens = new Option<bool>("--special-tokens")
        {
            Description = "Add what the tokenizer puts around a text, mostly BOS in front.",
        };
        var threads = SharedOptions.Threads();
        var force = new Option<bool>("--force") { Description = "Replace token files that exist." };
        var json = SharedOptions.Json();
        var command = new Command("tokenize", "Turn texts into a token file to train on.")
        {
            sources, tokenizer, output, field, separator, heldOut, seed, eos, specialTokens, threads, force, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            double share = parsed.GetValue(heldOut);
            if (share >= 1 && !double.IsInteger(share))
                throw new UsageException(
                    $"--held-out is {share.ToString(CultureInfo.InvariantCulture)}, "
                    + "expected a share below 1 or a whole number of documents");
            var options = new CorpusTokenizerOptions
            {
                AddSpecialTokens = parsed.GetValue(specialTokens),
                HeldOutFraction = share < 1 ? share : 0,
                HeldOutCount = share < 1 ? 0 : (int)share,
                Seed = parsed.GetValue(seed),
                Threads = parsed.GetValue(threads),
            };
            string mark = parsed.GetValue(separator)!;
            var arguments = new TokenizeArguments
            {
                Sources = parsed.GetRequiredValue(sources),
                Tokenizer = parsed.GetRequiredValue(tokenizer),
                Output = parsed.GetRequiredValue(output),
                Reading = new CorpusReaderOptions { Field = parsed.GetValue(field)!, Separator = mark == "none" ? null : mark },
                Options = options,
                EndOfText = parsed.GetValue(eos),
                Force = parsed.GetValue(force),
                Json = parsed.GetValue(json),
            };
            return Run(context, arguments, cancellation);
        }));
        return command;
    }

    public static int Run(CommandContext context, TokenizeArguments arguments, CancellationToken cancellation)
    {
        var (output, options) = (arguments.Output, arguments.Options);
        var clock = Stopwatch.StartNew();
        var corpus = CorpusReader.Open(arguments.Sources, arguments.Reading);
        var tokenizer = TokenizerLoader.Load(arguments.Tokenizer);
        if (arguments.EndOfText is { } eos)
            options = options with
            {
                EosId =
                    tokenizer.FindId(eos)
                    ?? throw new WiscaException(
                        $"{arguments.Tokenizer} has no token '{eos}'", "name a token as the vocabulary spells it"),
            };
        string beside = Path.ChangeExtension(output, ".held-out" + Path.GetExtension(output));
        string? heldOut = options.HeldOutFraction > 0 || options.HeldOutCount > 0 ? beside : null;
        if (heldOut is null && File.Exists(beside))
            throw new WiscaException(
                $"{beside} is there from an earlier run, and its documents would be in {output} as well",
                "remove it, hold documents out again (--held-out), or choose another --out");
        var result = ProgressBar.Run(
            context,
            report =>
                CorpusTokenizer.Tokenize(
                    corpus,
                    tokenizer,
                    output,
                    heldOut,
                    options,
                    arguments.Force,
                    new DirectProgress<CorpusProgress>(step => report("tokenising", step.BytesRead, step.Length)),
                    cancellation));
        context.Written.AddRange(new[] { output, heldOut }.OfType<string>());
        if (arguments.Json)
        {
            context.WriteJson(new JsonObject
            {
                ["files"] = corpus.Files.Count,
                ["tokenizer"] = tokenizer.Source,
                ["tokenizer_hash"] = result.TokenizerHash,
                ["vocabulary_size"] = result.VocabularySize,
                ["eos_id"] = result.EosId,
                ["training"] = ToJson(result.Training),
                ["held_out"] = result.HeldOut is { } part ? ToJson(part) : null,
            });
            return 0;
        }

        double seconds = clock.Elapsed.TotalSeconds;
        Print(context, result.Training);
        if (result.HeldOut is not null) Print(context, result.HeldOut);
        long bytes = result.Training.TextBytes + (result.HeldOut?.TextBytes ?? 0);
        context.Out.WriteLine(
            $"{corpus.Files.Count} {(corpus.Files.Count == 1 ? "file" : "files")} in {seconds:0.0} s ({Format.Bytes(bytes / seconds)}/s), "
            + $"documents end with {tokenizer.FindToken(result.EosId)} ({result.EosId})");
        return 0;
    }

    private static void Print(CommandContext context, TokenizedPart part) =>
        context.Out.WriteLine(
            $"{part.Path}: {Format.Count(part.Tokens)} tokens of {Format.Count(part.Documents)} "
            + $"{(part.Documents == 1 ? "document" : "documents")}, {(double)part.TextBytes / part.Tokens:0.00} bytes a token");

    private static JsonObject ToJson(TokenizedPart part) =>
        new()
        {
            ["path"] = part.Path,
            ["documents"] = part.Documents,
            ["tokens"] = part.Tokens,
            ["text_bytes"] = part.TextBytes,
        };
}
