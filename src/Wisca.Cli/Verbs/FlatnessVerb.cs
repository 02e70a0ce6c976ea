using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Flatness;
using Wisca.Files;
using Wisca.Torch;
using Wisca.Torch.Models;
using static System.FormattableString;
using Decoder = Wisca.Torch.Models.Decoder;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca flatness MODEL --text FILE</c>: how flat the loss is around a model's weights.</summary>
internal static class FlatnessVerb
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new FiniteNumber() },
    };

    /// <summary>What --measure knows; other measures have options of their own.</summary>
    private static readonly ImmutableArray<FlatnessMeasure> Measures =
    [
        FlatnessMeasure.Eigenvalues, FlatnessMeasure.Trace, FlatnessMeasure.Sharpness, FlatnessMeasure.Gradients, FlatnessMeasure.Pairs,
    ];

    public static Command Create(CommandContext context)
    {
        var defaults = new FlatnessOptions();
        var model = SharedOptions.Model();
        var text = new Option<string>("--text")
        {
            Description = "The text that the loss is of: a file of any kind that wisca tokenize reads.",
            HelpName = "FILE",
            Required = true,
        };
        var tokens = SharedOptions.Number("--tokens", "Take the first N tokens of it.", "N", 1, 1 << 30);
        tokens.DefaultValueFactory = _ => 2048;
        var length = SharedOptions.Number(
            "--sequence-length", "Tokens of a window (default: 128, or the model's positions where they are fewer).", "N", 1, 1 << 24);
        var measure = new Option<string?>("--measure")
        {
            Description =
                "What to measure, joined with commas: eigenvalues, trace, sam, gradients, pairs. Default: all five; none of them with "
                + "--slice, --between or --orbit.",
            HelpName = "NAMES",
        };
        var eigenvalues = SharedOptions.Number("--eigenvalues", "Number of the largest eigenvalues of the Hessian.", "K", 1, 1000);
        eigenvalues.DefaultValueFactory = _ => defaults.Eigenvalues.Eigenvalues;
        var steps = SharedOptions.Number(
            "--lanczos-steps", "The most products of Hessian and vector for them; as many vectors are held in memory.", "N", 1, 100_000);
        steps.DefaultValueFactory = _ => defaults.Eigenvalues.MaxSteps;
        var probes = SharedOptions.Number(
            "--trace-probes", "The most probes for the trace; for each block of a pair a quarter of it.", "N", 2, 1_000_000);
        probes.DefaultValueFactory = _ => defaults.Trace.MaxProbes;
        var radius = SharedOptions.Number("--sam-radius", "Radius of plain sharpness.", "R", 1e-12, 1e12);
        radius.DefaultValueFactory = _ => defaults.Radius;
        var adaptive = SharedOptions.Number("--asam-radius", "Radius of adaptive sharpness.", "R", 1e-12, 1e12);
        adaptive.DefaultValueFactory = _ => defaults.AdaptiveRadius;
        var ascent = SharedOptions.Number("--sam-steps", "Also the sharpness by so many steps of ascent.", "M", 1, 1000);
        ascent.DefaultValueFactory = _ => 1;
        var etas = new Option<string?>("--eta")
        {
            Description = "Steps down the gradient for the cosine of gradients, joined with commas (default: 0.01,0.1,1).",
            HelpName = "LIST",
        };
        var slice = new Option<string?>("--slice")
        {
            Description = "The loss along filter-normalised random directions: 1d or 2d.",
            HelpName = "1d|2d",
        };
        slice.AcceptOnlyFromAmong("1d", "2d");
        var between = new Option<string?>("--between")
        {
            Description = "The loss on the line to another checkpoint of the same architecture.",
            HelpName = "MODEL2",
        };
        var points = SharedOptions.Number("--points", "Points along a direction (default: 21; 11 for 2d).", "N", 2, 10_001);
        var range = SharedOptions.Number("--range", "How far a slice goes, in lengths of the filters.", "R", 1e-9, 1e9);
        range.DefaultValueFactory = _ => defaults.SliceRange;
        var orbit = new Option<string?>("--orbit")
        {
            Description = "Loss, trace and largest eigenvalue along the orbit of equivalent models: qk or vo.",
            HelpName = "qk|vo",
        };
        orbit.AcceptOnlyFromAmong(SharedOptions.Names<TransitionKind>(except: TransitionKind.LoraFactors));
        var layer = SharedOptions.Number("--layer", "The orbit's layer.", "L", 0, 1 << 20);
        var kvHead = SharedOptions.Number("--kv-head", "One kv head's factor alone instead of one for the layer.", "G", 0, 1 << 20);
        var orbitRange = SharedOptions.Number("--orbit-range", "The orbit goes from s = 2^-N to 2^N.", "N", 1, 30);
        orbitRange.DefaultValueFactory = _ => defaults.Orbit.Range;
        var orbitProbes = SharedOptions.Number("--orbit-probes", "Probes for each of the orbit's traces.", "N", 2, 1_000_000);
        orbitProbes.DefaultValueFactory = _ => defaults.Orbit.Probes;
        var seed = SharedOptions.Number("--seed", "Seed of probes and directions.", "S", 0UL, ulong.MaxValue);
        var threads = SharedOptions.Threads();
        var architecture = SharedOptions.Architecture();
        var json = SharedOptions.Json();
        var output = new Option<string?>("--out", "-o")
        {
            Description = "Also write it to a file: all of it as .json, or the curves as .csv. It appears when it is complete.",
            HelpName = "FILE",
        };
        var force = new Option<bool>("--force") { Description = "Replace that file where it exists." };
        var command = new Command(
            "flatness",
            "Measure how flat the loss is around a model's weights, and what of it is only a choice among equivalent weights.")
        {
            model, text, tokens, length, measure, eigenvalues, steps, probes, radius, adaptive, ascent, etas, slice, between, points,
            range, orbit, layer, kvHead, orbitRange, orbitProbes, seed, threads,
            architecture, json, output, force,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            if (parsed.GetResult(layer) is not null && parsed.GetValue(orbit) is null)
                throw new UsageException("--layer is the layer of an orbit: give --orbit qk or vo too.");
            if (parsed.GetResult(layer) is null && parsed.GetValue(orbit) is not null)
                throw new UsageException("--orbit needs a layer: give --layer.");
            bool plane = parsed.GetValue(slice) == "2d";
            int perBlock = Math.Max(2, parsed.GetValue(probes) / 4);
            var options = new FlatnessOptions
            {
                Measures = Asked(
                    parsed.GetValue(measure), parsed.GetValue(slice) is not null, parsed.GetValue(between) is not null,
                    parsed.GetValue(orbit) is not null),
                Eigenvalues = defaults.Eigenvalues with { Eigenvalues = parsed.GetValue(eigenvalues), MaxSteps = parsed.GetValue(steps) },
                Trace = defaults.Trace with { MaxProbes = parsed.GetValue(probes) },
                Pairs = defaults.Pairs with { MaxProbes = perBlock },
                Radius = parsed.GetValue(radius),
                AdaptiveRadius = parsed.GetValue(adaptive),
                AscentSteps = parsed.GetValue(ascent),
                GradientSteps = parsed.GetValue(etas) is { } list ? Numbers(list) : defaults.GradientSteps,
                SliceDimensions = plane ? 2 : 1,
                Points = parsed.GetResult(points) is not null ? parsed.GetValue(points) : plane ? 11 : defaults.Points,
                SliceRange = parsed.GetValue(range),
                OrbitKind = parsed.GetValue(orbit) is { } pair ? EnumNames.Parse<TransitionKind>(pair) : TransitionKind.QueryKey,
                OrbitLayer = parsed.GetValue(layer),
                OrbitKvHead = parsed.GetResult(kvHead) is null ? null : parsed.GetValue(kvHead),
                Orbit = defaults.Orbit with
                {
                    Range = parsed.GetValue(orbitRange),
                    Probes = parsed.GetValue(orbitProbes),
                    Eigenvalue = defaults.Orbit.Eigenvalue with { MaxSteps = parsed.GetValue(steps) },
                },
                Seed = parsed.GetValue(seed),
            };
            string? file = parsed.GetValue(output);
            if (file is not null) CheckOutput(file, options, parsed.GetValue(force));
            var arguments = new FlatnessArguments
            {
                Model = parsed.GetRequiredValue(model),
                Between = parsed.GetValue(between),
                Text = parsed.GetRequiredValue(text),
                Tokens = parsed.GetValue(tokens),
                SequenceLength = parsed.GetResult(length) is null ? null : parsed.GetValue(length),
                Options = options,
                Architecture = parsed.GetValue(architecture),
                Threads = parsed.GetValue(threads),
            };
            var report = Measure(context, arguments, cancellation);
            if (file is not null) Write(file, report, parsed.GetValue(force));
            if (parsed.GetValue(json)) context.WriteJson(JsonSerializer.SerializeToNode(report, Json)!);
            else Print(context.Out, report);
            return 0;
        }));
        return command;
    }

    private static FlatnessReport Measure(CommandContext context, FlatnessArguments arguments, CancellationToken cancellation)
    {
        using var checkpoint = Checkpoint.Open(arguments.Model);
        context.NoteAdapter(arguments.Model);
        if (arguments.Between is { } end) context.NoteAdapter(end);
        using var second = arguments.Between is null ? null : Checkpoint.Open(arguments.Between);
        var config = DecoderConfig.From(checkpoint.Config);
        var windows = TokenWindows.Read(
            arguments.Text, TokenizerLoader.Load(checkpoint.Folder), arguments.Tokens,
            arguments.SequenceLength ?? Math.Min(128, config.MaxPositions), cancellation);
        TorchRuntime.Require();
        TorchRuntime.Threads = arguments.Threads;
        using var decoder = Decoder.Load(checkpoint);
        using var other = second is null ? null : Decoder.Load(second);
        using var line = new StageLine(context.Error);
        return FlatnessAnalyzer.Run(
            decoder, checkpoint.Config, windows, arguments.Options, other, SharedOptions.Table(arguments.Architecture),
            new DirectProgress<FlatnessProgress>(progress => line.Report(progress.Stage, progress.Done, progress.Most)), cancellation);
    }

    private static ImmutableArray<FlatnessMeasure> Asked(string? names, bool slice, bool between, bool orbit)
    {
        var measures = new List<FlatnessMeasure>();
        if (slice) measures.Add(FlatnessMeasure.Slice);
        if (between) measures.Add(FlatnessMeasure.Between);
        if (orbit) measures.Add(FlatnessMeasure.Orbit);
        if (names is null) return measures.Count > 0 ? [.. measures] : FlatnessOptions.DefaultMeasures;
        foreach (string name in names.Split(',', StringSplitOptions.TrimEntries))
            measures.Add(
                EnumNames.TryParse<FlatnessMeasure>(name, out var known) && Measures.Contains(known)
                    ? known
                    : throw new UsageException(
                        $"--measure does not know '{name}', expected {string.Join(", ", Measures.Select(EnumNames.Name))}"));
        return [.. measures];
    }

    private static ImmutableArray<double> Numbers(string list) =>
    [
        .. list.Split(',', StringSplitOptions.TrimEntries).Select(text =>
            double.TryParse(text, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) && number > 0
                ? number
                : throw new UsageException($"--eta is '{list}', expected positive numbers joined with commas")),
    ];

    private static void CheckOutput(string file, FlatnessOptions options, bool force)
    {
        string extension = Path.GetExtension(file);
        if (extension is not (".json" or ".csv"))
            throw new UsageException($"--out is '{file}', expected a name that ends with .json or .csv");
        if (
            extension == ".csv"
            && !options.Measures.Any(measure => measure is FlatnessMeasure.Slice or FlatnessMeasure.Between or FlatnessMeasure.Orbit))
            throw new UsageException(
                "a .csv file holds curves, and none is asked for: give --slice, --between or --orbit, or name a .json file.");
        OutputFile.Check(file, force);
    }

    private static void Write(string file, FlatnessReport report, bool force)
    {
        if (Path.GetExtension(file) == ".csv") OutputFile.Write(file, Csv(report), force);
        else OutputFile.Write(file, JsonSerializer.SerializeToNode(report, Json)!, force);
    }

    /// <summary>Every curve in long form: what is drawn, where, and the number.</summary>
    private static string Csv(FlatnessReport report)
    {
        var lines = new StringBuilder("curve,x,y,quantity,value\n");
        foreach (var curve in report.Curves)
        {
            foreach (var point in curve.Points) Add(curve.Kind.Name(), point.X, point.Y, "loss", point.Loss);
        }

        foreach (var point in report.Orbit?.Points ?? [])
        {
            foreach (var (quantity, value) in Quantities(point)) Add("orbit", point.Log2, null, quantity, value);
        }

        foreach (var mark in report.Orbit?.Marks ?? [])
        {
            if (mark is { Log2: { } log2, PredictedPair: { } trace })
                Add($"orbit-{mark.Criterion.Name()}", log2, null, "predicted_pair", trace);
        }

        return lines.ToString();

        void Add(string curve, double x, double? y, string quantity, double value) =>
            lines.Append(CultureInfo.InvariantCulture, $"{curve},{x:R},{y:R},{quantity},{value:R}\n");

        static IEnumerable<(string, double)> Quantities(OrbitPoint point) =>
        [
            ("loss", point.Loss),
            ("multiplied", point.Multiplied),
            ("divided", point.Divided),
            ("pair", point.Pair),
            ("predicted_pair", point.PredictedPair),
            ("rest", point.Rest),
            ("whole", point.Whole),
            ("largest_eigenvalue", point.LargestEigenvalue.Value),
        ];
    }

    private static void Print(IAnsiConsole console, FlatnessReport report)
    {
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"loss {report.Loss:0.00000} on {report.Tokens} tokens in windows of {report.SequenceLength}, "
            + $"{Format.Count(report.Parameters)} parameters, seed {report.Seed}"));
        var summary = new Table()
            .Border(TableBorder.Simple)
            .AddColumn("quantity")
            .AddColumn(new TableColumn("value").RightAligned())
            .AddColumn("error")
            .AddColumn("invariant");
        summary.AddRow("gradient norm", Number(report.GradientNorm), "", "no");
        foreach (var (entry, rank) in (report.Eigenvalues?.Largest ?? []).Select((entry, index) => (entry, index + 1)))
            summary.AddRow($"eigenvalue {rank}", Number(entry.Value), $"residual {Number(entry.Residual)}", "no");
        if (report.Eigenvalues is { } spectrum)
            summary.AddRow("least Ritz value", Number(spectrum.Smallest.Value), $"residual {Number(spectrum.Smallest.Residual)}", "no");
        if (report.Trace is { } trace)
            summary.AddRow("trace", Number(trace.Whole.Value), $"± {Number(trace.Whole.StandardError)}, {trace.Whole.Probes} probes", "no");
        foreach (var sharpness in report.Sharpness)
        {
            string kind = sharpness.Adaptive ? "adaptive" : "plain";
            summary.AddRow(
                Invariant($"{kind} sharpness, r {sharpness.Radius}, {Format.Count(sharpness.Steps, "step")}"),
                Number(sharpness.Sharpness),
                "",
                sharpness.Adaptive ? "yes" : "no");
        }

        foreach (var turn in report.Gradients)
            summary.AddRow(
                Invariant($"cosine of gradients, eta {turn.Step}"), turn.Cosine is { } cosine ? Invariant($"{cosine:0.00000}") : "-",
                Invariant($"loss {turn.Loss:0.00000}"), "no");
        console.Write(summary);
        if (report.Eigenvalues is { Converged: false } some)
            console.WriteLine(
                $"note     eigenvalues did not converge in {some.Products} steps (--lanczos-steps): "
                + "the residuals say how far off they may be");
        if (report.Trace is { } blocks) PrintBlocks(console, blocks);
        if (report.Pairs.Length > 0) PrintPairs(console, report.Pairs);
        foreach (string refusal in report.Refusals) console.WriteLine($"refused  {refusal}");
        foreach (var curve in report.Curves) PrintCurve(console, curve);
        if (report.Orbit is { } orbit) PrintOrbit(console, orbit);
        foreach (var entry in report.Invariances)
            console.WriteLine($"{(entry.Invariant ? "invariant" : "moves    ")} {entry.Quantity}: {entry.Reason}");
    }

    private static void PrintBlocks(IAnsiConsole console, ModelTrace trace)
    {
        const int most = 8;
        var table = new Table()
            .Border(TableBorder.Simple)
            .AddColumn("tensors with the largest traces")
            .AddColumn(new TableColumn("trace").RightAligned())
            .AddColumn(new TableColumn("±").RightAligned());
        foreach (var block in trace.Blocks.OrderByDescending(block => Math.Abs(block.Trace.Value)).Take(most))
            table.AddRow(block.Tensor.EscapeMarkup(), Number(block.Trace.Value), Number(block.Trace.StandardError));
        console.Write(table);
    }

    private static void PrintPairs(IAnsiConsole console, ImmutableArray<PairCurvature> pairs)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("pair");
        foreach (string header in (string[])["a", "±", "b", "±", "flattest log2 s", "2 sqrt(a b)"])
            table.AddColumn(new TableColumn(header).RightAligned());
        foreach (var pair in pairs)
        {
            table.AddRow(
                $"{pair.Kind.Name()} {pair.Layer}",
                Number(pair.Multiplied.Value),
                Number(pair.Multiplied.StandardError),
                Number(pair.Divided.Value),
                Number(pair.Divided.StandardError),
                Flattest(pair), pair.LeastTrace is { } least ? Number(least) : "-");
        }

        console.Write(table);
    }

    private static void PrintCurve(IAnsiConsole console, LossCurve curve)
    {
        var finite = curve.Points.Where(point => double.IsFinite(point.Loss)).ToList();
        double low = finite.Count == 0 ? 0 : finite.Min(point => point.Loss),
            high = finite.Count == 0 ? 0 : finite.Max(point => point.Loss);
        console.WriteLine();
        console.WriteLine(Invariant($"{curve.Kind.Name()}: loss from {low:0.0000} to {high:0.0000}"));
        double Height(LossPoint point) => !double.IsFinite(point.Loss) ? 1 : high > low ? (point.Loss - low) / (high - low) : 0;
        if (curve.Kind == LossCurveKind.Plane)
        {
            const string shades = " .:-=+*#%@";
            string Shade(LossPoint point) => new(shades[(int)Math.Round(Height(point) * (shades.Length - 1))], 2);
            foreach (var row in curve.Points.GroupBy(point => point.Y).OrderByDescending(row => row.Key))
                console.WriteLine($"  {string.Concat(row.Select(Shade))}".TrimEnd());
            return;
        }

        foreach (var point in curve.Points) PrintBar(console, point.X, double.IsFinite(point.Loss) ? point.Loss : null, Height(point), "");
    }

    /// <summary>A line of a drawing that lies on its side: where, how much, a bar, and what lands there.</summary>
    private static void PrintBar(IAnsiConsole console, double x, double? value, double height, string mark)
    {
        string number = value is { } known ? Invariant($"{known,10:0.0000}") : "         -", bar = new('█', (int)Math.Round(height * 40));
        console.WriteLine(Invariant($"  {x,6:0.00} {number} {bar} {mark}").TrimEnd());
    }

    private static void PrintOrbit(IAnsiConsole console, OrbitReport orbit)
    {
        var pair = orbit.Curvature;
        console.WriteLine();
        console.WriteLine(
            $"orbit of {pair.Kind.Name()} in layer {pair.Layer}{(pair.Label.KvHead is { } head ? $", kv head {head}" : "")}; the "
            + "model is at log2 s = 0");
        var table = new Table().Border(TableBorder.Simple);
        foreach (string header in (string[])["log2 s", "loss", "pair's trace", "a/s^2 + b s^2", "rest", "whole", "eigenvalue", "residual"])
            table.AddColumn(new TableColumn(header).RightAligned());
        foreach (var point in orbit.Points)
        {
            table.AddRow(
                $"{point.Log2}",
                Invariant($"{point.Loss:0.000000}"),
                Number(point.Pair),
                Number(point.PredictedPair),
                Number(point.Rest),
                Number(point.Whole),
                Number(point.LargestEigenvalue.Value),
                Number(point.LargestEigenvalue.Residual));
        }

        console.Write(table);
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"largest |difference of losses| {orbit.MaxLossDifference:0.0e+00}, "
            + $"of traces from a/s^2 + b s^2 {orbit.MaxTraceDeviation:0.0e+00} relative"));
        var marks = new Table()
            .Border(TableBorder.Simple)
            .AddColumn("lands")
            .AddColumn(new TableColumn("log2 s").RightAligned())
            .AddColumn(new TableColumn("pair's trace there").RightAligned())
            .AddColumn("note");
        marks.AddRow(
            "here", "0", Number(pair.TraceAt(0)),
            $"a {Number(pair.Multiplied.Value)} ± {Number(pair.Multiplied.StandardError)}, b {Number(pair.Divided.Value)} ± "
            + $"{Number(pair.Divided.StandardError)}");
        foreach (var mark in orbit.Marks)
            marks.AddRow(
                mark.Criterion.Name(), mark.Log2 is { } log2 ? Invariant($"{log2:0.000}") : "-",
                mark.PredictedPair is { } trace ? Number(trace) : "-", (mark.Note ?? "").EscapeMarkup());
        marks.AddRow(
            "flattest", Flattest(pair), pair.LeastTrace is { } least ? Number(least) : "-",
            pair.FlattestLog2 is null ? "a or b is not above zero by two standard errors" : "(a/b)^(1/4)");
        console.Write(marks);
        DrawOrbit(console, orbit);
    }

    /// <summary>Trace and largest eigenvalue against log2 s, and where the criteria land.</summary>
    private static void DrawOrbit(IAnsiConsole console, OrbitReport orbit)
    {
        const int parts = 4;
        var pair = orbit.Curvature;
        int first = orbit.Points[0].Log2 * parts, last = orbit.Points[^1].Log2 * parts;
        IEnumerable<(string Name, double? Log2)> marks =
        [
            ("here", 0),
            .. orbit.Marks.Select(mark => (mark.Criterion.Name(), mark.Log2)),
            ("flattest", pair.FlattestLog2),
        ];
        var landed = marks
            .Where(mark => mark.Log2 is not null)
            .ToLookup(mark => Math.Clamp((int)Math.Round(mark.Log2!.Value * parts), first, last), mark => mark.Name);
        Draw(
            "trace of the pair",
            [
                .. Enumerable
                    .Range(first, last - first + 1)
                    .Select(place => ((double)place / parts, pair.TraceAt((double)place / parts), string.Join(", ", landed[place]))),
            ]);
        Draw("largest eigenvalue", [.. orbit.Points.Select(point => ((double)point.Log2, point.LargestEigenvalue.Value, ""))]);

        // A trace grows like s^2 and 1/s^2: its logarithm is what can be seen, where it has one.
        void Draw(string name, IReadOnlyList<(double Log2, double Value, string Mark)> rows)
        {
            bool positive = rows.All(row => row.Value > 0);
            double Scaled(double value) => positive ? Math.Log(value) : value;
            double low = rows.Min(row => Scaled(row.Value)), high = rows.Max(row => Scaled(row.Value));
            console.WriteLine(Invariant($"{name} against log2 s{(positive ? ", bars by its logarithm" : "")}"));
            foreach (var (log2, value, mark) in rows)
                PrintBar(console, log2, value, high > low ? (Scaled(value) - low) / (high - low) : 0, mark);
            console.WriteLine();
        }
    }

    private static string Flattest(PairCurvature pair) =>
        pair is { FlattestLog2: { } log2, FlattestLog2Error: { } error } ? Invariant($"{log2:0.000} ± {error:0.000}") : "-";

    private static string Number(double number) =>
        number.ToString(Math.Abs(number) is >= 1e5 or (> 0 and < 1e-3) ? "0.000e+00" : "0.####", CultureInfo.InvariantCulture);

    /// <summary>JSON knows neither NaN nor infinity: they become null.</summary>
    private sealed class FiniteNumber : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }
}
