// Compares `wisca rescale` with `cp -r` of the same folder: pairs in one run, alternating, `sync` before each. With --rotate: what
// `wisca rotate` takes of a model of hidden size 2,048, as a ratio to `wisca rescale`, which writes as much. With --inspect: what
// `wisca inspect` takes of a checkpoint of 1,000 small tensors in 16 shards; --wisca names the launcher of another checkout to compare.
// With --native: the native program (eng/native) beside this one and `cp -r`, of folders that are in the page cache.
using System.Globalization;
using Wisca.Benchmarks;
using Wisca.Safetensors;

double gigabytes = Number("--gb", 4);
int pairs = (int)Number("--pairs", 5);
string root = FindRoot();
string launcher = Path.Combine(root, "wisca"), native = Path.Combine(root, "artifacts", "native", "wisca");

// Not through the launcher, which would start the native program where there is one.
string wisca = Path.Combine(root, "artifacts", "bin", "Wisca.Cli", "release", "wisca");
string folder = Path.Combine(Option("--dir") ?? Path.Combine(root, "artifacts", "bench"), "rescale");
string[] extra = Option("--options")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
Directory.CreateDirectory(folder);
TimedProcess.Run(launcher, "--version");
if (args.Contains("--native"))
{
    Native();
    return 0;
}

if (args.Contains("--rotate"))
{
    Rotations();
    return 0;
}
if (args.Contains("--inspect"))
{
    Inspect([launcher, .. Option("--wisca") is { } other ? [other] : (string[])[]]);
    return 0;
}


Console.WriteLine("  size      pair   cp -r      rescale    ratio   RssAnon");
foreach (double size in (double[])[gigabytes / 4, gigabytes])
{
    string model = Path.Combine(folder, $"model-{size:0.##}gb");
    if (!File.Exists(Path.Combine(model, "config.json"))) BigCheckpoint.Generate(model, size);
    long bytes = new DirectoryInfo(model).EnumerateFiles().Sum(file => file.Length);
    var ratios = new List<double>();
    long peak = 0;
    for (int pair = 1; pair <= pairs; pair++)
    {
        bool copyFirst = pair % 2 == 1;
        double copy = 0, rescale = 0;
        for (int half = 0; half < 2; half++)
        {
            string output = Path.Combine(folder, "out");
            if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
            TimedProcess.Run("sync");
            if (half == 0 == copyFirst) copy = TimedProcess.Run("cp", "-r", model, output).Seconds;
            else
            {
                var run = TimedProcess.Run(wisca, ["rescale", model, "--out", output, .. extra]);
                rescale = run.Seconds;
                peak = Math.Max(peak, run.PeakAnonymousBytes);
            }

            Directory.Delete(output, recursive: true);
        }

        ratios.Add(copy / rescale);
        Console.WriteLine(FormattableString.Invariant(
            $"  {bytes / 1e9:0.00} GB   {pair}      {copy,6:0.00} s   {rescale,6:0.00} s   {copy / rescale:0.00}    {peak / 1e6:0} MB"));
    }

    ratios.Sort();
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"  {bytes / 1e9:0.00} GB: median ratio (rescale's throughput / cp's) {ratios[ratios.Count / 2]:0.00}, "
        + $"peak RssAnon {peak / 1e6:0} MB"));
}

return 0;

void Native()
{
    foreach (string file in (string[])[native, Path.Combine(root, "artifacts", "native", "libwisca.so")])
        Console.WriteLine(FormattableString.Invariant($"  {Path.GetFileName(file),-12} {new FileInfo(file).Length / 1e6:0.0} MB"));
    string small = Path.Combine(folder, "model-small");
    if (!File.Exists(Path.Combine(small, "config.json"))) BigCheckpoint.GenerateSmall(small, tensors: 11, shards: 1);
    Compared("--version", () => TimedProcess.Run(native, "--version"), () => TimedProcess.Run(wisca, "--version"));
    Compared("inspect, small", () => TimedProcess.Run(native, "inspect", small), () => TimedProcess.Run(wisca, "inspect", small));
    foreach (var dtype in (Dtype[])[Dtype.BF16, Dtype.F32])
    {
        foreach (double size in (double[])[gigabytes / 4, gigabytes])
        {
            string model = Path.Combine(folder, $"model-{size:0.##}gb{(dtype == Dtype.BF16 ? "" : "-f32")}");
            string output = Path.Combine(folder, "out");
            if (!File.Exists(Path.Combine(model, "config.json"))) BigCheckpoint.Generate(model, size, dtype: dtype);

            // What a run that was stopped has left.
            if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
            Compared(
                FormattableString.Invariant($"rescale, {size:0.##} GB {dtype}"),
                () => Written(native, "rescale", model, "--out", output),
                () => Written(wisca, "rescale", model, "--out", output),
                () => Written("cp", "-r", model, output));
            TimedProcess.Run(native, "rescale", model, "--out", output);
            Compared(
                FormattableString.Invariant($"verify, {size:0.##} GB {dtype}"),
                () => TimedProcess.Run(native, "verify", model, output), () => TimedProcess.Run(wisca, "verify", model, output));
            Directory.Delete(output, recursive: true);

            TimedProcess Written(string program, params string[] words)
            {
                var run = TimedProcess.Run(program, words);
                Directory.Delete(output, recursive: true);
                return run;
            }
        }
    }

    // In turn, so that load and cache meet all alike.
    void Compared(string what, params Func<TimedProcess>[] runs)
    {
        string[] names = ["native", "JIT", "cp -r"];
        var times = runs.Select(_ => new List<double>()).ToArray();
        long[] peaks = new long[runs.Length];
        for (int round = 0; round <= pairs; round++)
        {
            for (int i = 0; i < runs.Length; i++)
            {
                var run = runs[i]();
                peaks[i] = Math.Max(peaks[i], run.PeakAnonymousBytes);

                // The first fills the cache.
                if (round > 0) times[i].Add(run.Seconds);
            }
        }

        Console.WriteLine($"  {what}");
        double first = Median(times[0]);
        for (int i = 0; i < runs.Length; i++)
        {
            double time = Median(times[i]);
            Console.WriteLine(FormattableString.Invariant(
                $"    {names[i],-8} {time,7:0.000} s   {time / first,6:0.00} of native's   {peaks[i] / 1e6,5:0} MB"));
        }
    }

    static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}

void Rotations()
{
    string model = Path.Combine(folder, "model-2048");
    if (!File.Exists(Path.Combine(model, "config.json"))) BigCheckpoint.Generate(model, 0.25, hidden: 2048, tied: false);
    Console.WriteLine($"  {new DirectoryInfo(model).EnumerateFiles().Sum(file => file.Length) / 1e9:0.00} GB, hidden size 2,048");
    Console.WriteLine("  basis      rotate     ratio to rescale   RssAnon    undo");
    double rescale = Median(() => TimedProcess.Run(wisca, "rescale", model, "--out", Path.Combine(folder, "out")).Seconds);
    Console.WriteLine(FormattableString.Invariant($"  (rescale)  {rescale,6:0.00} s"));
    foreach (string basis in (string[])["hadamard", "random", "weights"])
    {
        long peak = 0;
        double undo = 0;
        string output = Path.Combine(folder, "out"), undone = Path.Combine(folder, "undone");
        double rotate = Median(() =>
        {
            var run = TimedProcess.Run(wisca, "rotate", model, "--out", output, "--stream", basis);
            peak = Math.Max(peak, run.PeakAnonymousBytes);
            if (Directory.Exists(undone)) Directory.Delete(undone, recursive: true);
            undo = TimedProcess.Run(wisca, "undo", output, "--out", undone).Seconds;
            Directory.Delete(undone, recursive: true);
            return run.Seconds;
        });
        Console.WriteLine(FormattableString.Invariant(
            $"  {basis,-9}  {rotate,6:0.00} s   {rotate / rescale,10:0.0}         {peak / 1e6,6:0} MB   {undo,6:0.00} s"));
    }

    double Median(Func<double> measure)
    {
        var seconds = new List<double>();
        for (int repeat = 0; repeat < pairs; repeat++)
        {
            string output = Path.Combine(folder, "out");
            if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
            TimedProcess.Run("sync");
            seconds.Add(measure());
            Directory.Delete(output, recursive: true);
        }

        seconds.Sort();
        return seconds[seconds.Count / 2];
    }
}

void Inspect(string[] launchers)
{
    string model = Path.Combine(Path.GetDirectoryName(folder)!, "inspect", "model");
    if (!File.Exists(Path.Combine(model, "config.json"))) BigCheckpoint.GenerateSmall(model, tensors: 1000, shards: 16);
    foreach (string each in launchers) TimedProcess.Run(each, "inspect", model);
    var times = launchers.Select(_ => new List<double>()).ToArray();
    for (int round = 0; round < pairs; round++)
    {
        for (int i = 0; i < launchers.Length; i++) times[i].Add(TimedProcess.Run(launchers[i], "inspect", model).Seconds);
    }

    for (int i = 0; i < launchers.Length; i++)
    {
        times[i].Sort();
        Console.WriteLine(FormattableString.Invariant(
            $"  inspect of 1,000 tensors: median {times[i][pairs / 2]:0.000} s of {pairs}, from {times[i][0]:0.000} s  {launchers[i]}"));
    }
}

string? Option(string name)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
}

double Number(string name, double otherwise) => Option(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;

static string FindRoot()
{
    var folder = new DirectoryInfo(AppContext.BaseDirectory);
    while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Wisca.slnx"))) folder = folder.Parent;
    return folder?.FullName ?? throw new InvalidOperationException("run the benchmark from a checkout");
}
