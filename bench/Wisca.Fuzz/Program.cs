using System.Diagnostics;
using Wisca;
using Wisca.Fuzz;
using Wisca.Tests;

const string help = """
    Feeds mutated files to the readers of Wisca.Core: headers, whole safetensors files, indexes, configurations, ledgers.
    A case that throws anything but a WiscaException is a crash, one that takes more than a second is a hang, and one that
    is accepted or refused otherwise than by independently written rules is a difference; each ends the run with exit code 1
    and the input. A case depends on the seed and its number only.

    Usage: dotnet run --project bench/Wisca.Fuzz -c Release -- [--cases N] [--seed S] [--first N]

      --cases N   number of cases (default 100000)
      --seed S    seed (default 1)
      --first N   number of the first case, to run one again (default 0)
    """;

var options = new Dictionary<string, long> { ["--cases"] = 100_000, ["--seed"] = 1, ["--first"] = 0 };
for (int i = 0; i < args.Length; i += 2)
{
    if (args[i] is "--help" or "-h")
    {
        Console.WriteLine(help);
        return 0;
    }

    if (!options.ContainsKey(args[i]) || i + 1 == args.Length || !long.TryParse(args[i + 1], out long number) || number < 0)
    {
        Console.Error.WriteLine($"wrong usage at '{args[i]}'\n\n{help}");
        return 2;
    }

    options[args[i]] = number;
}

using var targets = new Targets();
var lots = targets.All.SelectMany(target => Enumerable.Repeat(target, target.Share)).ToArray();
var clock = Stopwatch.StartNew();
long current = 0, started = 0;

// A case that never ends cannot be noticed behind it.
using var watchdog = new Timer(
    _ =>
    {
        if (clock.ElapsedMilliseconds - Volatile.Read(ref started) < 10_000) return;
        Console.Error.WriteLine($"case {Volatile.Read(ref current)} hangs");
        Environment.Exit(1);
    },
    null,
    1000,
    1000);

for (long index = options["--first"]; index < options["--first"] + options["--cases"]; index++)
{
    var random = new Random(Mix(options["--seed"], index));
    var target = lots[random.Next(lots.Length)];
    byte[] input = target.Create(random);
    bool? accepted = null;
    string? fault = null;
    Volatile.Write(ref current, index);
    Volatile.Write(ref started, clock.ElapsedMilliseconds);
    long before = Stopwatch.GetTimestamp();
    try
    {
        target.Read(input);
        accepted = true;
    }
    catch (WiscaException exception)
    {
        accepted = false;
        if (exception.Message.Any(char.IsControl) || exception.Message.Length == 0)
            fault = $"message of more than one line: {exception.Message}";
    }
    catch (Exception exception)
    {
        fault = $"crash: {exception}";
    }

    if (Stopwatch.GetElapsedTime(before) > TimeSpan.FromSeconds(1))
        fault ??= $"hang: {Stopwatch.GetElapsedTime(before).TotalSeconds:0.0} s";
    if (fault is null && target.Expected is { } expected && expected(input) != accepted)
        fault = $"difference: wisca {(accepted == true ? "accepts" : "refuses")} it, the independent rules do not agree";
    if (fault is not null)
    {
        Console.Error.WriteLine($"case {index} ({target.Name}): {fault}\ninput: {Convert.ToBase64String(input)}");
        return 1;
    }

    target.Cases++;
    if (accepted == true) target.Accepted++;
    if (ReferenceJson.TryParse(target.JsonOf(input).Span, out object? _)) target.Json++;
}

double seconds = clock.Elapsed.TotalSeconds;
foreach (var target in targets.All) Print(target.Name, target.Cases, target.Json, target.Accepted);
Print("all", targets.All.Sum(target => target.Cases), targets.All.Sum(target => target.Json), targets.All.Sum(target => target.Accepted));
Console.WriteLine($"no crash, no hang, no difference; {options["--cases"] / seconds:0} cases/s");
return 0;

static void Print(string name, long cases, long json, long accepted) =>
    Console.WriteLine(
        $"{name,-8} {cases,9} cases, {100.0 * json / Math.Max(1, cases),5:0.0} % valid JSON, "
        + $"{100.0 * accepted / Math.Max(1, cases),5:0.0} % accepted");

// SplitMix64's finaliser: neighbouring cases get unrelated seeds, the same on every machine.
static int Mix(long seed, long index)
{
    ulong z = ((ulong)seed << 40) ^ (ulong)index;
    z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
    z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
    return (int)(z >> 32);
}
