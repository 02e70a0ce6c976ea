using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca verify A B</c>: proves that two models are the same function.</summary>
internal static class VerifyVerb
{
    public static Command Create(CommandContext context)
    {
        var a = SharedOptions.Model("A");
        var b = SharedOptions.Model("B");
        var seed = new Option<int>("--seed") { Description = "Seed of the probes and the random tokens.", HelpName = "S", DefaultValueFactory = _ => 0 };
        var threads = SharedOptions.Threads();
        var architecture = SharedOptions.Architecture();
        var json = SharedOptions.Json();
        var command = new Command("verify", "Prove that two models are the same function; exit 1 if they are not.") { a, b, seed, threads, architecture, json };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(
            context,
            parsed.GetRequiredValue(a),
            parsed.GetRequiredValue(b),
            new VerifyOptions
            {
                Seed = parsed.GetValue(seed),
                Threads = parsed.GetValue(threads),
                Architecture = parsed.GetValue(architecture),
                Json = parsed.GetValue(json),
            },
            cancellation)));
        return command;
    }

    public static int Run(CommandContext context, string a, string b, VerifyOptions options, CancellationToken cancellation)
    {
        using var left = Checkpoint.Open(a);
        using var right = Checkpoint.Open(b);
        var certificate = ProgressBar.Run(context, report => Certifier.Compare(
            left, right, (ulong)options.Seed, SharedOptions.Table(options.Architecture), options.Threads, ProgressBar.Share("certificate", left, report), cancellation));
        if (options.Json) context.WriteJson(new JsonObject { ["certificate"] = ToJson(certificate) });
        else Print(context.Out, certificate);
        return certificate.Equivalent ? 0 : 1;
    }

    private static void Print(IAnsiConsole console, CertificateReport certificate)
    {
        console.WriteLine($"certificate: {(certificate.Equivalent ? "equivalent" : "NOT equivalent")}");
        foreach (string difference in certificate.Differences) console.WriteLine($"  {difference}");
        if (certificate.Layers.IsEmpty) return;
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  q.k error {certificate.QueryKeyError:0.0e+00}, V-O error {certificate.ValueOutputError:0.0e+00}, allowed {certificate.Layers.Max(layer => layer.Tolerance):0.0e+00}; {certificate.ChangedTensors} tensors changed"));
    }

    private static JsonObject ToJson(CertificateReport certificate) => new()
    {
        ["equivalent"] = certificate.Equivalent,
        ["query_key_error"] = Format.Json(certificate.QueryKeyError),
        ["value_output_error"] = Format.Json(certificate.ValueOutputError),
        ["differences"] = Format.Json(certificate.Differences),
    };
}
