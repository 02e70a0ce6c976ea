using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Rescaling;
using Wisca.Transitions;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca rescale MODEL --out DIR</c>: balances a checkpoint.</summary>
internal static class RescaleVerb
{
    /// <summary>What stands for no granularity.</summary>
    private const string NoExchange = "none";

    public static Command Create(CommandContext context)
    {
        var model = SharedOptions.Model();
        var output = new Option<string?>("--out", "-o")
        {
            Description = "The folder to write. It appears when it is complete.",
            HelpName = "DIR",
        };
        var preset = new Option<string?>("--preset")
        {
            Description =
                "The paper's strategies, joined with +: qk_ten, qk_row (per rotary pair where RoPE acts), "
                + "vo_ten, vo_row. Default: qk_ten+vo_ten.",
            HelpName = "NAMES",
        };
        var queryKey = new Option<string?>("--qk")
        {
            Description = "Exchange between W_q and W_k: none, tensor, kv-head, pair or channel (channel only where RoPE does not act).",
            HelpName = "GRANULARITY",
        };
        queryKey.AcceptOnlyFromAmong([NoExchange, .. SharedOptions.Names<Granularity>()]);
        var valueOutput = new Option<string?>("--vo")
        {
            Description = "Exchange between W_v and W_o: none, tensor, kv-head or channel.",
            HelpName = "GRANULARITY",
        };
        valueOutput.AcceptOnlyFromAmong([NoExchange, .. SharedOptions.Names<Granularity>(except: Granularity.Pair)]);
        var mlp = new Option<string?>("--mlp")
        {
            Description = "Exchange between what writes an MLP's hidden channels and what reads them: none, tensor or channel.",
            HelpName = "GRANULARITY",
        };
        mlp.AcceptOnlyFromAmong([NoExchange, Granularity.Tensor.Name(), Granularity.Channel.Name()]);
        var norms = new Option<string?>("--norms")
        {
            Description =
                "Exchange between gains of norms and what reads behind them (and between those of queries and keys): "
                + "none, tensor or channel.",
            HelpName = "GRANULARITY",
        };
        norms.AcceptOnlyFromAmong([NoExchange, Granularity.Tensor.Name(), Granularity.Channel.Name()]);
        var all = new Option<bool>("--all")
        {
            Description = "Everything that is exact at its finest, balanced jointly (criterion l1 or l2).",
        };
        var criterion = new Option<string>("--criterion")
        {
            Description = "The norm to make equal: l1 (the paper's sum), l1-mean, l2, rms or spectral.",
            DefaultValueFactory = _ => Criterion.L1.Name(),
            HelpName = "NORM",
        };
        criterion.AcceptOnlyFromAmong(SharedOptions.Names<Criterion>(except: Criterion.Fisher));
        var round = new Option<string>("--round")
        {
            Description =
                "pow2: nearest power of two, bit-exact and undone bit for bit; none: the exact factor; "
                + "auto: pow2 for 16-bit weights, none for others.",
            DefaultValueFactory = _ => FactorRounding.Auto.Name(),
            HelpName = "HOW",
        };
        round.AcceptOnlyFromAmong(SharedOptions.Names<FactorRounding>());
        var layers = new Option<string>("--layers")
        {
            Description = "Which layers, such as 0-3,8,30-.",
            DefaultValueFactory = _ => "all",
            HelpName = "RANGE",
        };
        var maxLog2 = SharedOptions.Number("--max-log2", "Clamp factors to 2^-N ... 2^N.", "N", 0.01, 64);
        maxLog2.DefaultValueFactory = _ => 6;
        var lossless = new Option<bool>("--lossless")
        {
            Description = "Leave groups alone of which a power of two would cost F16 elements bits (default: wisca.json keeps the bits).",
        };
        var allowLossy = new Option<bool>("--allow-lossy") { Hidden = true };
        var adapter = new Option<string?>("--adapter")
        {
            Description = "A LoRA adapter of the model, which moves with it; written to --adapter-out.",
            HelpName = "DIR",
        };
        var adapterOutput = new Option<string?>("--adapter-out") { Description = "The folder to write the adapter to.", HelpName = "DIR" };
        var partial = SharedOptions.AllowPartial();
        var dryRun = new Option<bool>("--dry-run") { Description = "Measure and report, write nothing." };
        var threads = SharedOptions.Threads();
        var architecture = SharedOptions.Architecture();
        var force = SharedOptions.Force();
        var json = SharedOptions.Json();
        var command = new Command("rescale", "Write an equivalent model whose weights are balanced.")
        {
            model, output, preset, queryKey, valueOutput, mlp, norms, all, criterion, round, layers, maxLog2, lossless, allowLossy, adapter,
            adapterOutput, partial, dryRun, threads, architecture, force, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            if (parsed.GetValue(allowLossy))
                throw new UsageException("--allow-lossy is what rescale does without it: leave it out (--lossless is the opposite).");
            var asked = new Asked(
                parsed.GetValue(preset), parsed.GetValue(queryKey), parsed.GetValue(valueOutput), parsed.GetValue(mlp),
                parsed.GetValue(norms), parsed.GetValue(all));
            var options = asked.ToOptions(EnumNames.Parse<Criterion>(parsed.GetValue(criterion)!)) with
            {
                Balance = new BalanceOptions(
                    EnumNames.Parse<Criterion>(parsed.GetValue(criterion)!), EnumNames.Parse<FactorRounding>(parsed.GetValue(round)!),
                    parsed.GetValue(maxLog2)),
                Layers = new LayerRange(parsed.GetValue(layers)!),
                Lossless = parsed.GetValue(lossless),
                Threads = parsed.GetValue(threads),
            };
            bool dry = parsed.GetValue(dryRun);
            if (!dry && parsed.GetValue(output) is null) throw new UsageException("Option '--out' is required (or --dry-run).");
            var (adapterFolder, adapterTarget) = (parsed.GetValue(adapter), parsed.GetValue(adapterOutput));
            if ((adapterFolder is null) != (adapterTarget is null))
                throw new UsageException("--adapter and --adapter-out belong together: give both.");
            if (dry && adapterFolder is not null)
                throw new UsageException("--dry-run writes nothing, so there is no adapter to move: leave --adapter out.");
            var arguments = new RescaleArguments
            {
                Model = parsed.GetRequiredValue(model),
                Output = dry ? null : parsed.GetValue(output),
                Options = options,
                Table = SharedOptions.Table(parsed.GetValue(architecture)),
                Adapter = adapterFolder,
                AdapterOutput = adapterTarget,
                AllowPartial = parsed.GetValue(partial),
                Force = parsed.GetValue(force),
                Json = parsed.GetValue(json),
            };
            return Run(context, arguments, cancellation);
        }));
        return command;
    }

    public static int Run(CommandContext context, RescaleArguments arguments, CancellationToken cancellation)
    {
        var (output, options, table, force) = (arguments.Output, arguments.Options, arguments.Table, arguments.Force);
        using var checkpoint = Checkpoint.Open(arguments.Model);
        using var adapter = arguments.Adapter is null ? null : Adapter.Open(arguments.Adapter);
        if (output is null) context.NoteAdapter(arguments.Model);
        var clock = Stopwatch.StartNew();

        // A range that does not fit is a mistake of the command line, not of the model.
        if (!options.Layers.TryResolve(ModelLayout.Resolve(checkpoint, table).Layers.Length, out _, out string? mistake))
            throw new UsageException(mistake);
        var binding = adapter?.Bind(checkpoint, arguments.AllowPartial);
        var result = ProgressBar.Run(context, report =>
        {
            var progress = new DirectProgress<RescaleProgress>(step => report("rescaling", step.Done, step.Total));
            return output is null ? Rescaler.DryRun(checkpoint, options, table, progress, cancellation)
                : binding is not null
                    ? AdapterRescaler.Rescale(
                        binding, output, arguments.AdapterOutput!, options, force, table, progress, cancellation)
                : Rescaler.Rescale(checkpoint, output, options, force, table, progress, cancellation);
        });

        context.Written.AddRange(new[] { output, arguments.AdapterOutput }.OfType<string>());
        if (arguments.Json)
        {
            var report = ToJson(checkpoint, result, output);
            if (arguments.AdapterOutput is not null) report["adapter_output"] = arguments.AdapterOutput;
            if (binding is not null) report["notes"] = AdapterNotes.Json(AdapterNotes.Of(binding));
            context.WriteJson(report);
            return 0;
        }

        Print(context.Out, result, output, clock.Elapsed);
        if (arguments.AdapterOutput is { } moved) context.Out.WriteLine($"{moved}: the adapter, for the rescaled model");
        foreach (string note in binding is null ? [] : AdapterNotes.Of(binding)) context.Out.WriteLine(note);
        return 0;
    }

    /// <summary>The options that say which transitions.</summary>
    private sealed record Asked(string? Preset, string? QueryKey, string? ValueOutput, string? Mlp, string? Norms, bool All)
    {
        public RescaleOptions ToOptions(Criterion criterion)
        {
            bool attention = (QueryKey ?? ValueOutput) is not null, others = (Mlp ?? Norms) is not null;
            if (All && (Preset is not null || attention || others))
                throw new UsageException("--all is every exact transition: leave --preset, --qk, --vo, --mlp and --norms out.");
            if (All && criterion is not (Criterion.L1 or Criterion.L2))
                throw new UsageException(
                    $"--all balances all weights together, for which criterion {criterion.Name()} has no one measure: use l1 or l2.");
            if (Preset is not null && attention)
                throw new UsageException("--preset and --qk/--vo say the same thing in two ways: give one of them.");
            if (All) return (RescaleOptions)new RescaleOptions().WithAll();
            var options = new RescaleOptions();
            if (attention || (others && Preset is null))
                options = options with
                {
                    QueryKey = Parse(QueryKey),
                    ValueOutput = Parse(ValueOutput),
                    RequireQueryKey = Parse(QueryKey) is not null,
                    RequireValueOutput = Parse(ValueOutput) is not null,
                };
            else if (Preset is not null)
            {
                if (!TransitionPreset.TryParse(Preset, out var parsed, out string? mistake)) throw new UsageException(mistake + ".");
                options = options with { QueryKey = parsed.QueryKey, ValueOutput = parsed.ValueOutput };
            }

            return options with { Mlp = Parse(Mlp), RequireMlp = Parse(Mlp) is not null, Norms = Parse(Norms) };
        }

        private static Granularity? Parse(string? name) => name is null or NoExchange ? null : EnumNames.Parse<Granularity>(name);
    }

    private static void Print(IAnsiConsole console, RescaleResult result, string? output, TimeSpan elapsed)
    {
        // A column for each transition: that fits a terminal of 80 characters.
        var columns = result
            .Solution.Plan.Exchanges.SelectMany((exchange, index) => result.Solution.Balances[index]
                .Select((balance, group) => (Exchange: exchange, Balance: balance, After: NormsAfter(result, index, group))))
            .GroupBy(entry => (entry.Exchange.Kind, entry.Exchange.Granularity)).ToList();
        foreach (var some in columns.Chunk(3)) PrintTable(console, some);
        if (result.Solution.Groups.Any(entry => entry.Exchange is { Kind: TransitionKind.QueryKey, Granularity: Granularity.Pair }))
            console.WriteLine("note: qk per rotary pair where RoPE acts (single rows are not exact there), per channel elsewhere");
        if (Joint(result) is { } objective)
        {
            string what = result.Solution.Plan.Options.Balance.Criterion == Criterion.L1 ? "sum of |w|" : "sum of w^2";
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"objective: {what} of all that takes part, {objective.Before:G6} -> {objective.After:G6} "
                + $"({100 * ((objective.After / objective.Before) - 1):0.##}%) in {Format.Count(objective.Sweeps, "sweep")}"));
        }

        foreach (var refusal in result.Solution.Plan.Refusals)
        {
            string where = refusal.Layers.IsEmpty ? "" : $" in layers {Format.Ranges(refusal.Layers)}";
            console.WriteLine(PrintableText.Of($"refused: {refusal.Kind.Name()}{where}: {refusal.Reason}"));
        }

        const int most = 5;
        foreach (var (outcome, note, groups) in result.Notes.Take(most))
        {
            string more = groups > 1 ? $" ({groups} groups)" : "";
            console.WriteLine(PrintableText.Of($"{(outcome == GroupOutcome.Skipped ? "skipped" : "note")}: {note}{more}"));
        }

        if (result.Notes.Length > most)
            console.WriteLine(
                $"note: {result.Notes.Length - most} more like these (all with --json{(output is null ? "" : " and in wisca.json")})");
        if (result.RoundedElements > 0)
        {
            string keeps = output is null ? "wisca.json would keep" : $"wisca.json keeps, in {Format.Bytes(result.LedgerBytesOfRounded)},";
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"rounded: {result.RoundedElements:N0} elements of {Format.Count(result.RoundedTensors, "tensor")} "
                + $"({100.0 * result.RoundedElements / result.ElementsBesideRounded:0.####}% of them) lose bits, which {keeps} for undo"));
        }

        foreach (string line in Format.Lines(result.SideFiles)) console.WriteLine(line);
        if (output is null) console.WriteLine("dry run: nothing was written");
        else
        {
            var move = result.Move!;
            string undo = move.Tensors.Count == 0 ? "no factor differs from 1: the weights are the same"
                : !move.PowersOfTwo ? "exact factors: equal to rounding"
                : move.Lost.Count > 0
                    ? "powers of two: equal to rounding (of those elements alone), and undo gives the bytes back"
                : "every factor is a power of two: the function is bit-identical, and undo gives the bytes back";
            console.WriteLine($"{output}: {Format.Bytes(result.WrittenBytes)} in {elapsed.TotalSeconds:0.0} s; {undo}");
        }
    }

    private static void PrintTable(
        IAnsiConsole console,
        IEnumerable<IGrouping<(TransitionKind Kind, Granularity Granularity),
            (Exchange Exchange, GroupBalance Balance, (double Multiplied, double Divided) After)>> columns)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("groups");
        foreach (var column in columns)
            table.AddColumn(new TableColumn($"{column.Key.Kind.Name()} {column.Key.Granularity.Name()}").RightAligned());
        foreach (var outcome in Enum.GetValues<GroupOutcome>())
            AddRow(outcome.Name(), entries => $"{entries.Count(entry => entry.Balance.Outcome == outcome)}");
        AddRow(
            "factors",
            entries =>
                Range(
                    entries.Where(entry => entry.Balance.Outcome == GroupOutcome.Scaled).Select(entry => entry.Balance.Factor),
                    Format.Factor));
        AddRow(
            "norm ratio before",
            entries =>
                Range(
                    entries
                        .Where(entry => HasRatio(entry.Balance))
                        .Select(entry => entry.Balance.MultipliedNorm / entry.Balance.DividedNorm),
                    Format.Ratio));
        AddRow(
            "norm ratio after",
            entries =>
                Range(
                    entries.Where(entry => HasRatio(entry.Balance)).Select(entry => entry.After.Multiplied / entry.After.Divided),
                    Format.Ratio));
        console.Write(table);

        void AddRow(
            string name,
            Func<IReadOnlyCollection<(Exchange Exchange, GroupBalance Balance, (double Multiplied, double Divided) After)>, string> cell
        ) => table.AddRow([name, .. columns.Select(column => cell([.. column]))]);
    }

    /// <summary>The norms as measured on what was written; those to expect where nothing was.</summary>
    private static (double Multiplied, double Divided) NormsAfter(RescaleResult result, int index, int group)
    {
        if (!result.NormsAfter.IsEmpty) return result.NormsAfter[index][group];
        var balance = result.Solution.Balances[index][group];
        int degree = result.Solution.Plan.Exchanges[index].Degree;
        return (balance.MultipliedNorm * balance.Factor, balance.DividedNorm / Math.Pow(balance.Factor, degree));
    }

    /// <summary>What was made small together, where more than attention was balanced.</summary>
    private static BalanceObjective? Joint(RescaleResult result) =>
        result.Solution.Plan.Options is { Mlp: null, Norms: null } ? null : result.Solution.Objective;

    private static bool HasRatio(GroupBalance balance) => balance.MultipliedNorm > 0 && balance.DividedNorm > 0;

    private static string Range(IEnumerable<double> numbers, Func<double, string> format)
    {
        var sorted = numbers.Order().ToList();
        if (sorted.Count == 0) return "-";
        string low = format(sorted[0]), high = format(sorted[^1]);
        return low == high ? low : $"{low} ... {high}";
    }

    private static JsonObject ToJson(Checkpoint checkpoint, RescaleResult result, string? output) => new()
    {
        ["model"] = checkpoint.Folder,
        ["output"] = output,
        ["dry_run"] = output is null,
        ["criterion"] = result.Solution.Plan.Options.Balance.Criterion.Name(),
        ["round"] = result.Solution.Plan.Options.Balance.Rounding.Name(),
        ["bit_exact"] = result.Move is { } move ? move.PowersOfTwo && move.Lost.Count == 0 : null,
        ["rounded"] = new JsonObject
        {
            ["elements"] = result.RoundedElements,
            ["tensors"] = result.RoundedTensors,
            ["share"] = result.RoundedElements == 0 ? 0 : (double)result.RoundedElements / result.ElementsBesideRounded,
            ["ledger_bytes"] = output is null ? null : result.LedgerBytesOfRounded,
        },
        ["groups"] = new JsonArray(
        [
            .. result.Solution.Plan.Exchanges.SelectMany((exchange, index) => Groups(result, exchange, index)),
        ]),
        ["objective"] = Joint(result) is { } objective
            ? new JsonObject
            {
                ["before"] = Format.Json(objective.Before),
                ["after"] = Format.Json(objective.After),
                ["sweeps"] = objective.Sweeps,
            }
            : null,
        ["refused"] = new JsonArray(
        [
            .. result.Solution.Plan.Refusals.Select(refusal => (JsonNode?)new JsonObject
            {
                ["transition"] = refusal.Kind.Name(),
                ["layers"] = Format.Json(refusal.Layers),
                ["reason"] = refusal.Reason,
            }),
        ]),
        ["not_copied"] = Format.Json(result.SideFiles),
        ["not_checked"] = Format.Json(result.SideFiles.Unknown),
    };

    /// <summary>The groups of an exchange; those of an MLP or a norm per channel, of which there are thousands, in one.</summary>
    private static IEnumerable<JsonNode?> Groups(RescaleResult result, Exchange exchange, int index)
    {
        var balances = result.Solution.Balances[index];
        if (exchange is { Granularity: Granularity.Channel, Kind: TransitionKind.UpDown or TransitionKind.NormGain })
        {
            yield return new JsonObject
            {
                ["layer"] = exchange.Layer,
                ["transition"] = exchange.Kind.Name(),
                ["granularity"] = exchange.Granularity.Name(),
                ["space"] = exchange.Space,
                ["channels"] = balances.Length,
                ["outcomes"] = new JsonObject(
                    Enum.GetValues<GroupOutcome>().Select(outcome => KeyValuePair.Create(
                        outcome.Name(), (JsonNode?)JsonValue.Create(balances.Count(balance => balance.Outcome == outcome))))),
                ["least_factor"] = balances.Min(balance => balance.Factor),
                ["greatest_factor"] = balances.Max(balance => balance.Factor),
                ["notes"] = Format.Json(balances.Select(balance => balance.Note).OfType<string>().Distinct()),
            };
            yield break;
        }

        for (int group = 0; group < balances.Length; group++)
        {
            var balance = balances[group];
            var (multiplied, divided) = NormsAfter(result, index, group);
            yield return new JsonObject
            {
                ["layer"] = exchange.Layer,
                ["transition"] = exchange.Kind.Name(),
                ["granularity"] = exchange.Granularity.Name(),
                ["space"] = exchange.Space.Length == 0 ? null : exchange.Space,
                ["expert"] = balance.Label.Expert,
                ["kv_head"] = balance.Label.KvHead,
                ["channel"] = balance.Label.Channel,
                ["outcome"] = balance.Outcome.Name(),
                ["factor"] = balance.Factor,
                ["norms_before"] = new JsonArray(Format.Json(balance.MultipliedNorm), Format.Json(balance.DividedNorm)),
                ["norms_after"] = new JsonArray(Format.Json(multiplied), Format.Json(divided)),
                ["note"] = balance.Note,
            };
        }
    }
}
