using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Torch;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca doctor</c>: checks the machine, and says how to mend what is wrong.</summary>
internal static class DoctorVerb
{
    private sealed record Check(string Name, bool Good, string Found, string? Hint = null);

    public static Command Create(CommandContext context)
    {
        var json = SharedOptions.Json();
        var command = new Command("doctor", "Check the machine, and say how to mend what is wrong; exit 1 if something is.") { json };
        command.SetAction(parsed => Run(context, parsed.GetValue(json)));
        return command;
    }

    private static int Run(CommandContext context, bool json)
    {
        Check[] checks = [Sdk(), CppRuntime(), Libtorch(), Threads(), Memory(), TemporarySpace()];
        if (json)
        {
            context.WriteJson(new JsonArray(
            [
                .. checks.Select(check =>
                    (JsonNode?)
                        new JsonObject
                        {
                            ["check"] = check.Name,
                            ["good"] = check.Good,
                            ["found"] = check.Found,
                            ["hint"] = check.Hint,
                        }),
            ]));
        }
        else
        {
            foreach (var check in checks)
            {
                context.Out.WriteLine($"{(check.Good ? "ok  " : "BAD ")} {check.Name,-10} {check.Found}");
                if (check.Hint is not null) context.Out.WriteLine($"                hint: {check.Hint}");
            }
        }

        return Array.TrueForAll(checks, check => check.Good) ? 0 : 1;
    }

    private static Check Sdk()
    {
        // The shared framework lies in ROOT/shared/Microsoft.NETCore.App/VERSION; SDKs lie in ROOT/sdk.
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        string sdks = Path.Combine(root, "sdk");
        string[] found = Directory.Exists(sdks)
            ? [.. Directory.EnumerateDirectories(sdks, "10.*").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)]
            : [];
        return found.Length > 0
            ? new Check("SDK", true, $".NET SDK {found[^1]}, runtime {Environment.Version}")
            : new Check(
                "SDK", true, $"none in {root}; runtime {Environment.Version}",
                "only building wisca needs an SDK: https://dotnet.microsoft.com/download/dotnet/10.0");
    }

    private static Check CppRuntime()
    {
        const string name = "libstdc++";
        if (!OperatingSystem.IsLinux()) return new Check(name, true, $"not needed on {RuntimeInformation.OSDescription}");
        if (!NativeLibrary.TryLoad("libstdc++.so.6", out nint handle))
            return new Check(
                name, false, "libstdc++.so.6 does not load", "install it: apt-get install libstdc++6 (or your distribution's name for it)");
        NativeLibrary.Free(handle);
        string? file = File.ReadLines("/proc/self/maps")
            .Where(line => line.Contains("libstdc++.so", StringComparison.Ordinal))
            .Select(line => line[line.IndexOf('/')..])
            .FirstOrDefault();
        return new Check(name, true, file is null ? "libstdc++.so.6 loads" : Path.GetFileName(file));
    }

    private static Check Libtorch() => TorchRuntime.Failure is { } failure
        ? new Check("libtorch", false, failure.Message, failure.Hint)
        : new Check("libtorch", true, $"libtorch {TorchRuntime.LibtorchVersion}, TorchSharp {TorchRuntime.TorchSharpVersion}");

    private static Check Threads() => new("threads", true, $"{Environment.ProcessorCount} processors");

    private static Check Memory()
    {
        const long little = 2L << 30;
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return new Check(
            "memory",
            available >= little,
            $"{Format.Bytes(available)} for this process",
            available >= little ? null : "rescaling needs little; running a model (verify --text) needs room for it, twice");
    }

    private static Check TemporarySpace()
    {
        const long little = 100L << 20;
        string folder = Path.GetTempPath();
        long free = new DriveInfo(folder).AvailableFreeSpace;
        return new Check(
            "disk", free >= little, $"{Format.Bytes(free)} free in {folder}",
            free >= little ? null : "the demo writes there; point TMPDIR elsewhere");
    }
}
