using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Files;
using static System.FormattableString;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca verify A B</c>: proves that two models are the same function.</summary>
internal static class VerifyVerb
{
    public static Command Create(CommandContext context, IModelRunner? runner)
    {
        var a = SharedOptions.Model("A");
        var b = SharedOptions.Model("B");
        var text = new Option<string?>("--text")
        {
            Description = "Also run both models on this text file, read by the tokenizer in A's folder.",
            HelpName = "FILE",
        };
        var tokens = SharedOptions.Number(
            "--tokens", "Also run both models on this many random tokens; with --text, on its first tokens.", "N", 2, 100_000_000);
        var native = new Option<bool>("--native") { Description = "Run the models in the type they are stored in instead of float32." };
        var seed = SharedOptions.Number("--seed", "Seed of the probes and the random tokens.", "S", 0, int.MaxValue);
        seed.DefaultValueFactory = _ => 0;
        var threads = SharedOptions.Threads();
        var architecture = SharedOptions.Architecture();
        var json = SharedOptions.Json();
        var command = new Command("verify", "Prove that two models are the same function; exit 1 if they are not.")
        {
            a, b, text, tokens, native, seed, threads, architecture, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(
            context,
            runner,
            parsed.GetRequiredValue(a),
            parsed.GetRequiredValue(b),
            new VerifyOptions
            {
                TextFile = parsed.GetValue(text),
                Tokens = parsed.GetResult(tokens) is null ? null : parsed.GetValue(tokens),
                Native = parsed.GetValue(native),
                Seed = parsed.GetValue(seed),
                Threads = parsed.GetValue(threads),
                Architecture = parsed.GetValue(architecture),
                Json = parsed.GetValue(json),
            },
            cancellation)));
        return command;
    }

    private static int Run(
        CommandContext context, IModelRunner? runner, string a, string b, VerifyOptions options, CancellationToken cancellation)
    {
        bool runs = options.TextFile is not null || options.Tokens is not null;
        if (runs && runner is null) throw Elsewhere.NeedsLibtorch($"verify {(options.TextFile is null ? "--tokens" : "--text")}");
        using var left = Checkpoint.Open(a);
        using var right = Checkpoint.Open(b);
        context.NoteAdapter(a);
        context.NoteAdapter(b);
        var table = SharedOptions.Table(options.Architecture);
        string? lacking = runs ? runner!.Obstacle(left) ?? runner.Obstacle(right) : null;
        int[]? tokens = runs && lacking is null ? Tokens(runner!, left, options) : null;
        var certificate = ProgressBar.Run(context, report => Certifier.Compare(
            left, right, (ulong)options.Seed, table, options.Threads, ProgressBar.Share("certificate", left, report), cancellation));
        ForwardProofReport? forward = null;
        if (tokens is not null)
        {
            forward = ProgressBar.Run(
                context,
                report => runner!.Compare(
                    left, right, tokens, new ModelRunOptions(options.Threads) { Native = options.Native },
                    ProgressBar.Share("forward proof", left, report), cancellation));
        }

        bool equivalent = certificate.Equivalent && forward is not { Equivalent: false };
        if (options.Json)
            context.WriteJson(
                new JsonObject
                {
                    ["equivalent"] = equivalent,
                    ["certificate"] = ToJson(certificate),
                    ["forward"] = forward is null ? null : ToJson(forward),
                    ["no_forward_pass"] = lacking,
                    ["disagreement"] = forward is null ? null : Disagreement(certificate, forward),
                });
        else Print(context.Out, certificate, forward, lacking, options);
        return equivalent ? 0 : 1;
    }

    /// <summary>What to run the models on.</summary>
    private static int[] Tokens(IModelRunner runner, Checkpoint checkpoint, VerifyOptions options)
    {
        if (options.TextFile is null) return runner.RandomTokens(checkpoint, options.Tokens!.Value, (ulong)options.Seed);
        int[] tokens = runner.Encode(checkpoint, TextFile.Read(options.TextFile, "--text names a UTF-8 text file"));
        if (tokens.Length < 2)
            throw new WiscaException($"{options.TextFile} gives {tokens.Length} tokens", "expected a text of at least two tokens");
        return options.Tokens is { } most && most < tokens.Length ? tokens[..most] : tokens;
    }

    private static void Print(
        IAnsiConsole console, CertificateReport certificate, ForwardProofReport? forward, string? lacking, VerifyOptions options)
    {
        console.WriteLine($"certificate    {(certificate.Equivalent ? "equivalent" : "NOT equivalent")}");
        foreach (string difference in certificate.Differences) console.WriteLine($"               {PrintableText.Of(difference)}");
        if (certificate.Rotation is { } rotation) PrintRotation(console, rotation, certificate.ChangedTensors);
        if (!certificate.Layers.IsEmpty)
        {
            double allowed = certificate.Layers.Max(layer => layer.Tolerance);
            string differ = certificate.ChangedTensors == 1 ? "differs" : "differ";
            string rounding = allowed == 0 ? "exact as powers of two must be" : Invariant($"{allowed:0.0e+00} is rounding");
            console.WriteLine(
                certificate.ChangedTensors == 0
                    ? "               no tensor differs"
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $"               {Format.Count(certificate.ChangedTensors, "tensor")} {differ}; q.k to "
                        + $"{certificate.QueryKeyError:0.0e+00}, V-O to {certificate.ValueOutputError:0.0e+00} relative, {rounding}"));
        }

        if (!certificate.Scaled.IsEmpty)
            console.WriteLine(
                $"               factors pass through {Format.Count(certificate.Scaled.Length, "space")}: "
                + (certificate.Scaled.Length == 1 ? certificate.Scaled[0] : $"{certificate.Scaled[0]} to {certificate.Scaled[^1]}"));
        if (forward is null)
        {
            console.WriteLine(
                lacking is null
                    ? "forward proof  not asked for (--text FILE or --tokens N)"
                    : $"forward proof  none, the certificate stands by itself: {PrintableText.Of(lacking)}");
            return;
        }

        string inputs = options.TextFile is null ? "random tokens" : $"tokens of {options.TextFile}";
        string outcome = !forward.Equivalent ? $"NOT equivalent: {forward.Reason}" : forward.BitIdentical ? "bit-identical" : "equivalent";
        string arithmetic = options.Native ? "the stored type" : forward.Precision;
        console.WriteLine($"forward proof  {outcome} on {forward.Tokens} {inputs}, in {arithmetic}");
        if (forward.NonFiniteA + forward.NonFiniteB == 0) PrintNumbers(console, forward);
        if (Disagreement(certificate, forward) is { } disagreement) console.WriteLine($"the two differ  {disagreement}");
    }

    private static void PrintRotation(IAnsiConsole console, RotationCertificate rotation, int changed)
    {
        if (rotation.StreamTensors > 0)
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"               the residual stream is turned: {Format.Count(changed, "tensor")} changed, "
                + $"{rotation.StreamTensors} on it to {rotation.StreamError:0.0e+00} relative, "
                + $"{rotation.StreamTolerance:0.0e+00} is rounding"));
        if (rotation.Spaces.Count(space => space.StartsWith("layers.", StringComparison.Ordinal)) is > 0 and var heads)
            console.WriteLine($"               {Format.Count(heads, "head")} in another basis: {Range(rotation)}");
    }

    /// <summary>The first and the last of the heads.</summary>
    private static string Range(RotationCertificate rotation)
    {
        string[] heads = [.. rotation.Spaces.Where(space => space.StartsWith("layers.", StringComparison.Ordinal))];
        return heads.Length == 1 ? heads[0] : $"{heads[0]} to {heads[^1]}";
    }

    private static void PrintNumbers(IAnsiConsole console, ForwardProofReport forward)
    {
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"               max |difference of logits| {forward.MaxDifference:0.0e+00} of max |logit| {forward.MaxLogit:0.00}, "
            + $"KL {forward.Divergence:0.0e+00}"));
        if (forward.Rounding is { } noise) console.WriteLine($"               {Format.Rounding(noise)}");
        console.WriteLine(Invariant($"               perplexity {forward.PerplexityA:0.00000} and {forward.PerplexityB:0.00000}"));
    }

    /// <summary>Which of the two proofs is to be believed where they say different things; null where they agree.</summary>
    private static string? Disagreement(CertificateReport certificate, ForwardProofReport forward) =>
        (certificate.Equivalent, forward.Equivalent) switch
        {
            (true, false) when forward.NonFiniteA + forward.NonFiniteB > 0 =>
                "believe the forward proof: the weights are an exchange, but what gives no numbers on these tokens equals nothing",
            (true, false) =>
                "believe the forward proof: the weights are an exchange as the architecture's table describes the model, and yet these "
                + "tokens tell them apart by more than rounding; the table is wrong for this model, or their roundings all go one way"
                + (forward.Rounding is { Spared: > 0 } ? ", or its router picks other experts at too many positions" : ""),
            (false, true) =>
                "believe the certificate where one is the other rescaled: it holds every weight against that, the forward proof sees only "
                + "these tokens, on which what the certificate names "
                + (forward.BitIdentical ? "changes no bit" : "is no larger than rounding")
                + "; models that came about otherwise, as by merges of other factors, may be equal in use and yet no exchange",
            _ => null,
        };

    private static JsonObject ToJson(CertificateReport certificate) => new()
    {
        ["equivalent"] = certificate.Equivalent,
        ["query_key_error"] = Format.Json(certificate.QueryKeyError),
        ["value_output_error"] = Format.Json(certificate.ValueOutputError),
        ["expected_exact"] = certificate.ExpectedExact,
        ["changed_tensors"] = certificate.ChangedTensors,
        ["differences"] = Format.Json(certificate.Differences),
        ["scaled"] = Format.Json(certificate.Scaled),
        ["rotation"] = certificate.Rotation is not { } rotation ? null : new JsonObject
        {
            ["spaces"] = Format.Json(rotation.Spaces),
            ["stream_tensors"] = rotation.StreamTensors,
            ["stream_error"] = Format.Json(rotation.StreamError),
            ["stream_tolerance"] = rotation.StreamTolerance,
        },
        ["layers"] = new JsonArray(
        [
            .. certificate.Layers.Select(layer => (JsonNode?)new JsonObject
            {
                ["layer"] = layer.Layer,
                ["query_key_error"] = Format.Json(layer.QueryKeyError),
                ["value_output_error"] = Format.Json(layer.ValueOutputError),
                ["tolerance"] = layer.Tolerance,
            }),
        ]),
    };

    private static JsonObject ToJson(ForwardProofReport forward) => new()
    {
        ["equivalent"] = forward.Equivalent,
        ["reason"] = forward.Reason,
        ["precision"] = forward.Precision,
        ["tokens"] = forward.Tokens,
        ["predictions"] = forward.Predictions,
        ["bit_identical"] = forward.BitIdentical,
        ["max_logit_difference"] = Format.Json(forward.MaxDifference),
        ["max_logit"] = Format.Json(forward.MaxLogit),
        ["rounding"] = forward.Rounding is { } rounding ? Format.Json(rounding) : null,
        ["kl_divergence"] = Format.Json(forward.Divergence),
        ["perplexity"] = new JsonArray(Format.Json(forward.PerplexityA), Format.Json(forward.PerplexityB)),
    };
}
