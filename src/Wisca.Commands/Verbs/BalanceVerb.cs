using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Commands.CommandLine;
using Wisca.Transitions;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca balance ADAPTER --out DIR</c>: balances the two factors of every module of an adapter.</summary>
internal static class BalanceVerb
{
    public static Command Create(CommandContext context)
    {
        var adapter = SharedOptions.Adapter();
        var output = SharedOptions.Output();
        var granularity = new Option<string>("--granularity")
        {
            Description =
                "tensor: |A| = |B|; rank: the same for each row of A and column of B; gl: "
                + "A A^T = B^T B, by an invertible matrix between them.",
            DefaultValueFactory = _ => FactorGranularity.General.Name(),
            HelpName = "HOW",
        };
        granularity.AcceptOnlyFromAmong(SharedOptions.Names<FactorGranularity>());
        var criterion = new Option<string>("--criterion")
        {
            Description = "The norm to make equal per tensor or rank: l2, l1, l1-mean, rms or spectral.",
            DefaultValueFactory = _ => Criterion.L2.Name(),
            HelpName = "NORM",
        };
        criterion.AcceptOnlyFromAmong(
            [.. ((Criterion[])[Criterion.L2, Criterion.L1, Criterion.L1Mean, Criterion.Rms, Criterion.Spectral]).Select(EnumNames.Name)]);
        var round = new Option<string>("--round")
        {
            Description = "pow2: nearest power of two, by which B A keeps every bit (tensor and rank); none: the exact factor.",
            DefaultValueFactory = _ => FactorRounding.None.Name(),
            HelpName = "HOW",
        };
        round.AcceptOnlyFromAmong(SharedOptions.Names<FactorRounding>(except: FactorRounding.Auto));
        var maxLog2 = SharedOptions.Number(
            "--max-log2", "Clamp factors to 2^-N ... 2^N; of gl, what a direction is stretched beyond all of them together.", "N", 0.01,
            64);
        maxLog2.DefaultValueFactory = _ => 6;
        var force = SharedOptions.Force();
        var threads = SharedOptions.Threads();
        var json = SharedOptions.Json();
        var command = new Command("balance", "Write an equivalent LoRA adapter whose factors A and B are balanced.")
        {
            adapter, output, granularity, criterion, round, maxLog2, force, threads, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(
            context,
            parsed.GetRequiredValue(adapter),
            parsed.GetRequiredValue(output),
            new AdapterBalanceOptions
            {
                Granularity = EnumNames.Parse<FactorGranularity>(parsed.GetValue(granularity)!),
                Balance = new BalanceOptions(
                    EnumNames.Parse<Criterion>(parsed.GetValue(criterion)!), EnumNames.Parse<FactorRounding>(parsed.GetValue(round)!),
                    parsed.GetValue(maxLog2)),
                Threads = parsed.GetValue(threads),
            },
            parsed.GetValue(force),
            parsed.GetValue(json),
            cancellation)));
        return command;
    }

    public static int Run(
        CommandContext context, string folder, string output, AdapterBalanceOptions options, bool force, bool json,
        CancellationToken cancellation)
    {
        using var adapter = Adapter.Open(folder);
        var modules = FactorBalancer.Balance(adapter, output, options, force, cancellation);
        context.Written.Add(output);
        if (json)
        {
            context.WriteJson(new JsonObject
            {
                ["adapter"] = adapter.Folder,
                ["output"] = output,
                ["modules"] = new JsonArray(
                [
                    .. modules.Select(module => (JsonNode?)new JsonObject
                    {
                        ["module"] = module.Module,
                        ["outcome"] = module.Outcome.Name(),
                        ["norms_before"] = new JsonArray(Format.Json(module.NormsBefore.B), Format.Json(module.NormsBefore.A)),
                        ["norms_after"] = new JsonArray(Format.Json(module.NormsAfter.B), Format.Json(module.NormsAfter.A)),
                        ["imbalance_before"] = Format.Json(module.ImbalanceBefore),
                        ["imbalance_after"] = Format.Json(module.ImbalanceAfter),
                        ["note"] = module.Note,
                    }),
                ]),
            });
            return 0;
        }

        var table = new Table()
            .Border(TableBorder.Simple)
            .AddColumn("modules")
            .AddColumn(new TableColumn($"{modules.Length}").RightAligned());
        foreach (var outcome in Enum.GetValues<GroupOutcome>())
            table.AddRow(outcome.Name(), $"{modules.Count(module => module.Outcome == outcome)}");
        table.AddRow("|B| / |A| before", Range(modules.Select(module => module.NormsBefore.B / module.NormsBefore.A), "0.000"));
        table.AddRow("|B| / |A| after", Range(modules.Select(module => module.NormsAfter.B / module.NormsAfter.A), "0.000"));
        table.AddRow("imbalance before", Range(modules.Select(module => module.ImbalanceBefore), "0.0e+00"));
        table.AddRow("imbalance after", Range(modules.Select(module => module.ImbalanceAfter), "0.0e+00"));
        context.Out.Write(table);
        foreach (var notes in modules.Where(module => module.Note is not null).GroupBy(module => module.Note))
            context.Out.WriteLine($"note: {notes.Key} ({Format.Count(notes.Count(), "module")})");
        context.Out.WriteLine(
            $"{output}: B A is the same {(options.Balance.Rounding == FactorRounding.PowerOfTwo ? "to the bit" : "to rounding")}");
        return 0;
    }

    private static string Range(IEnumerable<double> numbers, string format)
    {
        double[] finite = [.. numbers.Where(double.IsFinite).Order()];
        if (finite.Length == 0) return "-";
        string low = finite[0].ToString(format, CultureInfo.InvariantCulture),
            high = finite[^1].ToString(format, CultureInfo.InvariantCulture);
        return low == high ? low : $"{low} ... {high}";
    }
}
