// Training steps of two grouped-query Llamas in float32 and bfloat16, beside the matrix product that bounds them; or, with --memory, what a
// thousand steps leave behind. Cases and products alternate, so that the load of the machine meets all of them;
// figures are medians over rounds.
using System.Diagnostics;
using System.Globalization;
using Wisca.Torch;
using Wisca.TrainingBenchmarks;
using static TorchSharp.torch;

TorchRuntime.Threads = (int)Number("--threads", Environment.ProcessorCount);
string? only = Option("--only");
ScalarType[] types = [ScalarType.Float32, ScalarType.BFloat16];

if (args.Contains("--memory"))
{
    foreach (var type in types)
    {
        // Short sequences: what leaks does so by the step and not by the token.
        using var model = Small(type, sequences: 2, length: 64);
        long steps = (long)Number("--steps", 1000), begin = 0;
        for (int step = 1; step <= steps; step++)
        {
            model.Step();
            if (step % 50 == 0) model.Transition();
            if (step == steps / 2) begin = Resident();
            if (step % 100 == 0)
                Console.WriteLine(FormattableString.Invariant($"  {type,-9}  step {step,5}   resident {Resident() / 1e6,7:0.0} MB"));
        }

        Console.WriteLine(FormattableString.Invariant($"  {type,-9}  growth over the second half: {(Resident() - begin) / 1e6:0.0} MB"));
    }

    return 0;
}

int rounds = (int)Number("--rounds", 7);
var cases = types
    .SelectMany(type => (TrainingCase[])[Small(type), Large(type)])
    .Where(entry => only is null || $"{entry.Name} {entry.Type}".Contains(only, StringComparison.OrdinalIgnoreCase))
    .ToList();
ScalarType TypeOfProducts(TrainingCase entry) => TorchRuntime.FastBFloat16 ? entry.Type : ScalarType.Float32;
var peaks = types.ToDictionary(type => type, _ => new List<Measured>());
var results = cases.ToDictionary(entry => entry, _ => new Rounds([], [], [], [], [], [], [], []));
foreach (var entry in cases)
{
    entry.Step();
    entry.Step();
    entry.Transition();
    entry.Multiply();
    entry.Measure();
    entry.Observe?.Invoke();
    entry.Rotate?.Invoke();
}

for (int round = 0; round < rounds; round++)
{
    foreach (var type in cases.Select(TypeOfProducts).Distinct())
    {
        using var scope = NewDisposeScope();
        Tensor a = randn(2048, 2048).to(type), b = randn(2048, 2048).to(type);
        peaks[type].Add(Measured.Of(() => a.mm(b).Dispose()));
    }

    foreach (var entry in cases)
    {
        var (steps, passes, transitions, losses, rotations, covariances, multiplies, measures) = results[entry];
        int repeats = entry.Parameters < 2e6 ? 4 : 1;
        for (int repeat = 0; repeat < repeats; repeat++)
        {
            var (pass, loss) = (TimeSpan.Zero, 0.0);
            var step = Measured.Of(() => (pass, loss) = entry.Step());
            steps.Add(step);
            passes.Add(pass.TotalSeconds / step.Wall);
            losses.Add(loss);
        }

        multiplies.Add(ManyTimes(entry.Multiply));
        measures.Add(ManyTimes(entry.Measure));
        transitions.Add(ManyTimes(entry.Transition));
        if (entry.Observe is { } observe) covariances.Add(Measured.Of(observe).Wall);
        if (entry.Rotate is { } rotate) rotations.Add(Measured.Of(rotate).Wall);
    }
}

Console.WriteLine(
    $"  {TorchRuntime.Threads} threads, load {File.ReadAllText("/proc/loadavg").Trim()}, "
    + $"bfloat16 instructions: {(TorchRuntime.FastBFloat16 ? "yes" : "no, products are in float32")}");
Console.WriteLine(
    "  model   type        step ms  cpu ms   tokens/s   GFLOP/s   2048-cube   ratio   ratio of cpu   outside passes   transition   "
    + "rotation   covariance    loss");
foreach (var entry in cases)
{
    var (steps, passes, transitions, losses, rotations, covariances, _, _) = results[entry];
    double wall = Measured.Median(steps.Select(step => step.Wall)), processor = Measured.Median(steps.Select(step => step.Processor));
    double work = 6.0 * entry.Parameters * entry.Tokens / 1e9, cube = 2.0 * 2048 * 2048 * 2048 / 1e9;
    double peak = cube / Measured.Median(peaks[TypeOfProducts(entry)].Select(time => time.Wall)),
        cost = cube / Measured.Median(peaks[TypeOfProducts(entry)].Select(time => time.Processor));
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"  {entry.Name,-6}  {entry.Type,-9}  {wall * 1e3,7:0.0}  {processor * 1e3,7:0.0}   {entry.Tokens / wall,8:0}   "
        + $"{work / wall,7:0.0}   {peak,9:0.0}   {work / wall / peak,5:0.00}   {work / processor / cost,12:0.00}   "
        + $"{100 * (1 - Measured.Median(passes)),12:0.0} %   {100 * Median(transitions, time => time.Wall) / wall,8:0.0} %   "
        // The covariance is taken at every fourth step.
        + $"{Share(rotations, 1),8}   {Share(covariances, 4),10}  {losses[^1],6:0.000}"));

    string Share(List<double> seconds, int every) =>
        seconds.Count == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100 * Measured.Median(seconds) / every / wall:0.0} %");
}

// Wall and, on a machine that others use too, processor time.
Console.WriteLine("  model   type          multiply ms      measure ms   transition ms   of multiply   rotation ms   covariance ms");
foreach (var entry in cases)
{
    var (_, _, transitions, _, rotations, covariances, multiplies, measures) = results[entry];
    double ratio = Median(transitions, time => time.Wall) / Median(multiplies, time => time.Wall);
    double cost = Median(transitions, time => time.Processor) / Median(multiplies, time => time.Processor);
    Console.WriteLine(
        $"  {entry.Name,-6}  {entry.Type,-9}   {Both(multiplies)}   {Both(measures)}   {Both(transitions)}   "
        + $"{string.Create(CultureInfo.InvariantCulture, $"{ratio:0.0} / {cost:0.0}"),11}   "
        + $"{Single(rotations),11}   {Single(covariances),13}");
}

static double Median(List<Measured> times, Func<Measured, double> of) => Measured.Median(times.Select(of));

static string Both(List<Measured> times) => string.Create(
    CultureInfo.InvariantCulture,
    $"{Median(times, time => time.Wall) * 1e3,5:0.00} / {Median(times, time => time.Processor) * 1e3,5:0.00}");

static string Single(List<double> seconds) =>
    seconds.Count == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{Measured.Median(seconds) * 1e3:0.0}");

// The clock of a process counts in hundredths of a second.
static Measured ManyTimes(Action action)
{
    const int times = 50;
    var all = Measured.Of(() =>
    {
        for (int i = 0; i < times; i++) action();
    });
    return new Measured(all.Wall / times, all.Processor / times);
}

foreach (var entry in cases) entry.Dispose();
return 0;

TrainingCase Small(ScalarType type, int sequences = 8, int length = 256) =>
    new("1M", Llama(hidden: 128, inner: 352, layers: 4, heads: 8, vocabulary: 2048, tied: true), sequences, length, type);

TrainingCase Large(ScalarType type) =>
    new("10M", Llama(hidden: 384, inner: 1024, layers: 6, heads: 6, vocabulary: 256, tied: false), 8, 256, type);

static string Llama(int hidden, int inner, int layers, int heads, int vocabulary, bool tied) => $$"""
    {
      "model_type": "llama", "hidden_size": {{hidden}}, "intermediate_size": {{inner}}, "num_hidden_layers": {{layers}},
      "num_attention_heads": {{heads}}, "num_key_value_heads": 2, "vocab_size": {{vocabulary}}, "max_position_embeddings": 256,
      "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "initializer_range": 0.02,
      "tie_word_embeddings": {{(tied ? "true" : "false")}}
    }
    """;

static long Resident()
{
    using var process = Process.GetCurrentProcess();
    return process.WorkingSet64;
}

string? Option(string name)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
}

double Number(string name, double otherwise) => Option(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;
