using System.Diagnostics;
using Wisca.Fuzz;
using Wisca.Fuzz.Readers;
using Wisca.Tests;

const string help = """
    Feeds mutated files to whatever reads files: headers, safetensors files, indexes, configurations, ledgers, tokenizers,
    adapters, Parquet, instructions, token files, settings, results of studies, and to what reads JSON in libwisca. A fault is a
    case that throws anything but a WiscaException (a crash), that takes more than a second (a hang; a pattern that its time limit
    ends is none), that asks for more than 512 MiB, whose message is not one line of printable characters, or that is accepted or
    refused otherwise than by independently written rules. Inputs that once were faults lie in bench/Wisca.Fuzz/corpus/TARGET and
    come first. A case depends on the seed, its number and --target only.

    Usage: dotnet run --project bench/Wisca.Fuzz -c Release -- [--cases N] [--seed S] [--first N] [--target NAME] [--keep]
           dotnet run --project bench/Wisca.Fuzz -c Release -- --target NAME --case FILE

      --cases N      number of cases (default 100000)
      --seed S       seed (default 1)
      --first N      number of the first case, to run one again (default 0)
      --target NAME  one target only
      --case FILE    one input only
      --keep         add what is found to the corpus and go on, instead of ending at the first fault
    """;

if (args.Any(argument => argument is "--help" or "-h"))
{
    Console.WriteLine(help);
    return 0;
}

if (Options.Parse(args) is not { } options)
{
    Console.Error.WriteLine($"wrong usage\n\n{help}");
    return 2;
}

var clock = Stopwatch.StartNew();
long started = 0;
string current = "";

// A case that never ends cannot be noticed behind it.
using var watchdog = new Timer(
    _ =>
    {
        if (clock.ElapsedMilliseconds - Volatile.Read(ref started) < 60_000) return;
        Console.Error.WriteLine($"{current} hangs");
        Environment.Exit(1);
    },
    null,
    1000,
    1000);

ITargets[] readers =
    [
        new CheckpointTargets(), new TokenizerTargets(), new AdapterTargets(), new CorpusTargets(), new SettingsTargets(),
        new StudyTargets(), new LibraryTargets(),
    ];
try
{
    Target[] all = [.. readers.SelectMany(reader => reader.All)];
    Target[] targets = [.. all.Where(target => options.Target is null || target.Name == options.Target)];
    if (targets.Length == 0)
    {
        Console.Error.WriteLine($"no target {options.Target}, expected {string.Join(", ", all.Select(target => target.Name))}");
        return 2;
    }

    if (options.Case is not null) return Fault(targets[0], File.ReadAllBytes(options.Case), options.Case) is null ? 0 : 1;
    var corpus = new Corpus(Path.Combine(Fixtures.Root, "bench", "Wisca.Fuzz", "corpus"));
    bool good = true;
    int kept = 0;
    foreach (var target in targets)
    {
        foreach (string path in corpus.Of(target))
        {
            good &= Fault(target, File.ReadAllBytes(path), path) is null;
            kept++;
        }
    }

    if (!good && !options.Keep) return 1;
    clock.Restart();
    var lots = targets.SelectMany(target => Enumerable.Repeat(target, target.Share)).ToArray();

    // One input a fault is enough to keep.
    var found = new HashSet<string>(StringComparer.Ordinal);
    for (long index = options.First; index < options.First + options.Cases; index++)
    {
        var random = new Random(Mix(options.Seed, index));
        var target = lots[random.Next(lots.Length)];
        byte[] input = target.Create(random);
        if (Fault(target, input, $"case {index}") is not { } fault) continue;
        good = false;
        if (!options.Keep) return 1;
        if (found.Add(fault)) Console.Error.WriteLine($"kept as {corpus.Keep(target, input)}");
    }

    double seconds = clock.Elapsed.TotalSeconds;
    foreach (var target in targets) Print(target.Name, target.Cases, target.Json, target.Accepted);
    Print("all", targets.Sum(target => target.Cases), targets.Sum(target => target.Json), targets.Sum(target => target.Accepted));
    Console.WriteLine(
        $"{(good ? "no fault" : "FAULTS")}; {kept} kept inputs, {options.Cases} cases, {options.Cases / seconds:0} cases/s");
    return good ? 0 : 1;
}
finally
{
    foreach (var reader in readers) reader.Dispose();
}

string? Fault(Target target, byte[] input, string name)
{
    current = $"{name} ({target.Name})";
    Volatile.Write(ref started, clock.ElapsedMilliseconds);
    var (accepted, fault) = CaseRunner.Run(target, input);
    target.Cases++;
    if (accepted) target.Accepted++;
    if (ReferenceJson.TryParse(target.JsonOf(input).Span, out object? _)) target.Json++;
    if (fault is null) return null;
    string text = input.Length > 4000 ? $"{input.Length} bytes" : Convert.ToBase64String(input);
    Console.Error.WriteLine($"{current}: {fault}\ninput: {text}");
    return fault;
}

static void Print(string name, long cases, long json, long accepted) =>
    Console.WriteLine(
        $"{name,-16} {cases,9} cases, {100.0 * json / Math.Max(1, cases),5:0.0} % valid JSON, "
        + $"{100.0 * accepted / Math.Max(1, cases),5:0.0} % accepted");

// SplitMix64's finaliser: neighbouring cases get unrelated seeds, the same on every machine.
static int Mix(long seed, long index)
{
    ulong z = ((ulong)seed << 40) ^ (ulong)index;
    z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
    z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
    return (int)(z >> 32);
}
