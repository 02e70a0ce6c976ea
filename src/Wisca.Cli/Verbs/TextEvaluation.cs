using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Data.Corpora;
using Wisca.Data.Tokenizers;
using Wisca.Evaluation.Scoring;
using Wisca.Files;
using static System.FormattableString;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca eval MODEL --text FILE</c>: the perplexity of a text.</summary>
internal static class TextEvaluation
{
    private const string StrideLabel = "overlapping windows, an extension: not comparable with figures of the harness";

    /// <summary>What is asked for beside <see cref="EvaluationOptions"/>.</summary>
    internal sealed record Asked(string[] Sources, PerplexityOptions Options, CorpusReaderOptions Reading);

    public static int Run(CommandContext context, EvaluationOptions shared, Asked asked, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var options = asked.Options with { Limit = shared.Limit };
        if (shared.Output is not null) OutputFile.Check(shared.Output, shared.Force);
        var corpus = Perplexity.Open(asked.Sources, options, asked.Reading);
        context.NoteAdapter(shared.Model);
        using var model = EvaluatedModel.Open(shared.Model, shared.Precision, shared.Threads, shared.Scoring);
        var perplexity = new Perplexity(model.Scorer, options);
        var state = shared.Output is null
            ? null
            : new PerplexityState(shared.Output, Identity(model, shared, options, corpus, cancellation));
        bool foreign = false;
        var done = state?.Load(out foreign);
        if (foreign) context.Error.WriteLine($"{state!.Path} belongs to another model, text or options: beginning anew");
        if (done is { } before) context.Error.WriteLine($"going on behind {Format.Count((int)before.Documents, "document")}");
        PerplexitySums sums;
        try
        {
            sums = ProgressBar.Run(
                context,
                report =>
                    perplexity.Measure(
                        corpus.Documents(
                            new DirectProgress<long>(position => report("scoring", position, corpus.Length)),
                            cancellation),
                        done ?? default,
                        new DirectProgress<PerplexitySums>(sums => state?.Save(sums)),
                        cancellation));
        }
        catch (OperationCanceledException exception) when (File.Exists(state?.Path))
        {
            throw new WiscaException($"cancelled; {state.Path} holds what is done", "the same command goes on from there", exception);
        }

        var json = ToJson(sums, model, shared, options, clock.Elapsed.TotalSeconds);
        if (shared.Output is not null)
        {
            OutputFile.Write(shared.Output, json, shared.Force);
            context.Written.Add(shared.Output);
        }

        state?.Delete();
        if (shared.Json) context.WriteJson(json);
        else Print(context.Out, sums, model, options, clock.Elapsed.TotalSeconds);
        return 0;
    }

    /// <summary>All that the sums depend on; threads are left out, which change them by rounding at most.</summary>
    private static string Identity(
        EvaluatedModel model, EvaluationOptions shared, PerplexityOptions options, CorpusReader corpus, CancellationToken cancellation
    ) =>
        new JsonObject
        {
            ["model"] = ModelDigest.Of(model.Checkpoint, cancellation),
            ["tokenizer"] = TokenizerHash.Of(model.Tokenizer),
            ["text"] = PerplexityState.Describe(corpus),
            ["dtype"] = shared.Precision.Name(),
            ["batch_size"] = shared.Scoring.BatchSize,
            ["max_length"] = model.Scorer.MaxLength,
            ["stride"] = options.Stride,
            ["limit"] = options.Limit,
            ["document"] = options.Documents.Name(),
            ["detokenize"] = options.Detokenization.Name(),
        }.ToJsonString();

    private static JsonObject ToJson(
        PerplexitySums sums, EvaluatedModel model, EvaluationOptions shared, PerplexityOptions options, double seconds
    ) =>
        new()
        {
            ["model"] = model.Checkpoint.Folder,
            ["token_perplexity"] = Format.Json(sums.TokenPerplexity),
            ["word_perplexity"] = Format.Json(sums.WordPerplexity),
            ["byte_perplexity"] = Format.Json(sums.BytePerplexity),
            ["bits_per_byte"] = Format.Json(sums.BitsPerByte),
            ["log_likelihood"] = Format.Json(sums.LogLikelihood),
            ["documents"] = sums.Documents,
            ["detokenized_documents"] = sums.DetokenizedDocuments,
            ["windows"] = sums.Windows,
            ["tokens"] = sums.Tokens,
            ["words"] = sums.Words,
            ["bytes"] = sums.Bytes,
            ["max_length"] = model.Scorer.MaxLength,
            ["stride"] = options.Stride,
            ["extension"] = options.Stride is null ? null : StrideLabel,
            ["document"] = options.Documents.Name(),
            ["detokenize"] = options.Detokenization.Name(),
            ["limit"] = options.Limit,
            ["dtype"] = shared.Precision.Name(),
            ["prefix_token"] = model.Tokenizer.FindToken(model.Scorer.Encoder.PrefixToken),
            ["seconds"] = seconds,
        };

    private static void Print(IAnsiConsole console, PerplexitySums sums, EvaluatedModel model, PerplexityOptions options, double seconds)
    {
        console.WriteLine(Invariant($"token perplexity  {sums.TokenPerplexity,12:0.0000}   {sums.Tokens} tokens"));
        console.WriteLine(Invariant($"word perplexity   {sums.WordPerplexity,12:0.0000}   {sums.Words} words"));
        console.WriteLine(Invariant($"byte perplexity   {sums.BytePerplexity,12:0.0000}   {sums.Bytes} bytes"));
        console.WriteLine(Invariant($"bits per byte     {sums.BitsPerByte,12:0.0000}"));
        string detokenized =
            sums.DetokenizedDocuments == 0 ? "" : Invariant($", {sums.DetokenizedDocuments} of them detokenised as WikiText");
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Format.Count((int)sums.Documents, "document")}{detokenized}; "
            + $"{Format.Count((int)sums.Windows, "window")} of up to {model.Scorer.MaxLength} tokens, in {seconds:0.0} s"));
        if (options.Stride is { } stride) console.WriteLine($"stride {stride}: {StrideLabel}");
    }

    /// <summary>The symbols on a command line, and how they are read.</summary>
    internal sealed class Symbols
    {
        private readonly Option<string[]> _text = new("--text")
        {
            Description = "Measure the perplexity of files, folders and patterns: plain text, JSON lines, Parquet, also as .gz or .zst.",
            HelpName = "FILE|DIR",
            AllowMultipleArgumentsPerToken = true,
        };

        private readonly Option<string> _document = new("--document")
        {
            Description =
                "What a document is: whole: a file; separator: what lines of --separator part; line; heading: a page of WikiText; auto: "
                + "by separators, and by headings where there are.",
            HelpName = "KIND",
            DefaultValueFactory = _ => DocumentKind.Auto.Name(),
        };

        private readonly Option<string> _detokenize = new("--detokenize")
        {
            Description = "Take back WikiText's tokenisation before scoring: wikitext, none, or auto: where there are WikiText's headings.",
            HelpName = "HOW",
            DefaultValueFactory = _ => Detokenization.Auto.Name(),
        };

        private readonly Option<int> _stride = SharedOptions.Number(
            "--stride", "An extension: overlapping windows, of which each predicts its last N tokens.", "N", 1, 1 << 24);
        private readonly Option<string> _field = SharedOptions.Field();
        private readonly Option<string> _separator = new("--separator")
        {
            Description = "The line that separates documents in plain text.",
            HelpName = "LINE",
            DefaultValueFactory = _ => CorpusReaderOptions.EndOfText,
        };

        public Symbols()
        {
            _document.AcceptOnlyFromAmong(SharedOptions.Names<DocumentKind>());
            _detokenize.AcceptOnlyFromAmong(SharedOptions.Names<Detokenization>());
        }

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_text, _document, _detokenize, _stride, _field, _separator]) command.Add(option);
        }

        /// <summary>What is asked for; null where it is no text.</summary>
        public Asked? Read(ParseResult parsed)
        {
            if (parsed.GetValue(_text) is not { Length: > 0 } sources) return null;
            var options = new PerplexityOptions
            {
                Documents = EnumNames.Parse<DocumentKind>(parsed.GetValue(_document)!),
                Detokenization = EnumNames.Parse<Detokenization>(parsed.GetValue(_detokenize)!),
                Stride = parsed.GetResult(_stride) is null ? null : parsed.GetValue(_stride),
            };
            return new Asked(
                sources, options, new CorpusReaderOptions { Field = parsed.GetValue(_field)!, Separator = parsed.GetValue(_separator)! });
        }
    }
}
