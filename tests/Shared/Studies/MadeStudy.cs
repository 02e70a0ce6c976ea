using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;

namespace Wisca.Tests.Studies;

/// <summary>Invented studies: what a report is made of, without any training. Every number follows from the names and seeds.</summary>
internal sealed class MadeStudy
{
    public const string Baseline = "origin";

    private const int Steps = 1500, TokensPerStep = 1024, Layers = 4;

    private readonly Dictionary<string, RunResult> _results = new(StringComparer.Ordinal);
    private readonly List<ComparedModel> _models = [];
    private readonly List<string> _verdicts = [];

    public Dictionary<string, RunResult> Results => _results;

    public StudyReport Report => new()
    {
        Version = StudyReport.CurrentVersion,
        Name = "made-study",
        Verdicts = [.. _verdicts],
        Baseline = Baseline,
        Confidence = 0.95,
        Runs = _results.Count + 2,
        Finished = _results.Count,
        Waiting = ["grid small-rates, gpt2: waits for the baseline's best learning rate"],
        Failures = [new RunFailure("deadbeef00000000", "main/llama/qk_ten lr 3e-3 seed 9", "the disk was full")],
        Configuration =
            "output: runs/made\nseeds: [1, 2, 3]\narms:\n  origin: { wisca: { preset: origin } }\n  wisca: { wisca: { preset: "
            + "qk_ten+vo_ten, every: 250 } }\n",
        Environments = ["Invented CPU, 2 cores, 1 threads a run; Made OS 1; dotnet 10.0.0, wisca 0.1.0"],
        Models = [.. _models],
    };

    /// <summary>A study as people have it: two models, nine arms, three rates,
    /// six seeds, one arm that diverges at the highest rate.</summary>
    public static MadeStudy Realistic()
    {
        var study = new MadeStudy();
        string[] arms = ["qk_ten+vo_ten", "qk_ten", "vo_ten", "init only", "kv-head", "fisher", "lr-equivalent", "attention-lr-2"];
        double[] effects = [-0.011, -0.004, -0.0075, -0.0005, -0.009, -0.0102, -0.0105, 0.006];
        study.Add(
            "large-rates", "llama", [.. arms.Zip(effects)], [1, 2, 3, 4, 5, 6], [1e-3, 3e-3, 1e-2], diverging: "attention-lr-2",
            scores: true);
        study.Add("large-rates", "gpt2", [.. arms.Zip(effects).Take(2)], [1, 2, 3], [3e-3], diverging: null, scores: false);
        return study;
    }

    /// <summary>Two arms, two seeds.</summary>
    public static MadeStudy Small()
    {
        var study = new MadeStudy();
        study.Add("main", "llama", [("wisca", -0.01)], [1, 2], [3e-3], diverging: null, scores: false);
        return study;
    }

    public static MadeStudy Of(
        string regime, string model, IReadOnlyList<(string Name, double Effect)> arms, long[] seeds, double[] rates,
        string? diverging = null, bool scores = false)
    {
        var study = new MadeStudy();
        study.Add(regime, model, arms, seeds, rates, diverging, scores);
        return study;
    }

    private void Add(
        string regime, string model, IReadOnlyList<(string Name, double Effect)> arms, long[] seeds, double[] rates, string? diverging,
        bool scores)
    {
        var all = arms.Prepend((Name: Baseline, Effect: 0.0)).ToList();
        double best = rates[rates.Length / 2];
        foreach (var (arm, effect) in all)
        {
            foreach (var (rate, seed) in rates.SelectMany(rate => seeds.Select(seed => (rate, seed))))
                Add(
                    Run(
                        regime, model, arm, effect, seed, rate, best, diverges: arm == diverging && rate == rates[^1] && seed % 2 == 0,
                        scores));
        }

        var compared = all.Select(arm => Compare(regime, model, arm.Name, seeds, rates, best)).ToList();
        var adjusted = PairedComparison.Holm([.. compared.Select(arm => arm.AtBest?.Loss.PValue).OfType<double>()]).GetEnumerator();
        compared =
        [
            .. compared.Select(arm =>
                arm.AtBest?.Loss.PValue is not null && adjusted.MoveNext()
                    ? arm with
                    {
                        AtBest = arm.AtBest with { HolmPValue = adjusted.Current },
                    }
                    : arm),
        ];
        _models.Add(
            new ComparedModel
            {
                Regime = regime,
                Name = model,
                Parameters = 987_654,
                Tokens = Steps * TokensPerStep,
                SharedInitialWeights = true,
                Comparisons = compared.Count(arm => arm.AtBest?.Loss.PValue is not null),
                Arms = compared,
            });
        _verdicts.Add(
            $"{regime}/{model}: lower perplexity than {Baseline}: "
            + $"{string.Join(", ", arms.Where(arm => arm.Effect < -0.006).Select(arm => arm.Name))}.");
    }

    private void Add(RunResult result) => _results.Add(result.Id, result);

    private static string Id(string regime, string model, string arm, double rate, long seed) =>
        $"{Hash($"{regime}/{model}/{arm}/{rate}/{seed}"):x16}";

    private ComparedArm Compare(string regime, string model, string arm, long[] seeds, double[] rates, double best)
    {
        RunResult Of(string name, double rate, long seed) => _results[Id(regime, model, name, rate, seed)];
        bool isBaseline = arm == Baseline;
        var final = seeds.Select(seed => Of(arm, best, seed).Final()!.Test).ToList();
        ArmDifference At(double rate)
        {
            var pairs = seeds
                .Select(seed => (Seed: seed, Arm: Of(arm, rate, seed).Final()?.Test, Baseline: Of(Baseline, rate, seed).Final()?.Test))
                .ToList();
            var loss = PairedComparison.Of(
                pairs.Where(pair => pair.Arm is not null).Select(pair => (pair.Seed, pair.Arm!.Value, pair.Baseline!.Value)),
                0.95);
            double Percent(double difference) => 100 * (Math.Exp(difference) - 1);
            return new ArmDifference(
                rate, rate, loss, loss, Percent(loss.Mean),
                loss.Interval is { } interval ? new Interval(Percent(interval.Low), Percent(interval.High)) : null,
                pairs.Count(pair => pair.Arm is null));
        }

        return new ComparedArm
        {
            Name = arm,
            Settings = isBaseline ? [] : [$"wisca.preset: {arm}", "wisca.every: 250"],
            Runs =
            [
                .. rates
                    .SelectMany(rate => seeds.Select(seed => Of(arm, rate, seed)))
                    .Select(run => new RunSummary(
                        run.Id, run.Seed, run.LearningRate, run.Outcome, run.Final()?.Validation, run.Final()?.Test,
                        Math.Round(run.TokensPerSecond(), 1))),
            ],
            LearningRates = rates,
            BestLearningRate = best,
            TestLoss = final.Average(),
            Perplexity = Math.Exp(final.Average()),
            AtBest = isBaseline ? null : At(best),
            AtEqualRates = isBaseline ? [] : [.. rates.Select(At)],
            EqualTokens = isBaseline ? [] : [.. Of(arm, best, seeds[0]).HeldOut.Select((point, index) =>
            {
                var compared = PairedComparison.Of(
                    seeds.Select(seed =>
                        (seed, Of(arm, best, seed).HeldOut[index].Test, Of(Baseline, best, seed).HeldOut[index].Test)),
                    0.95);
                return new CurveDifference(point.Step, point.Tokens, compared.Mean, compared.Interval);
            })],
            EqualLoss = isBaseline ? null : new TokensToEqualLoss(seeds.Length, seeds.Length, 0.97, new Interval(0.95, 0.99)),
            Scores =
                isBaseline || Of(arm, best, seeds[0]).Scores.Count == 0
                    ? []
                    :
                    [
                        .. Of(arm, best, seeds[0])
                            .Scores.Keys.Select(name => new ScoreDifference(
                                name,
                                null,
                                true,
                                seeds.Average(seed => Of(Baseline, best, seed).Scores[name].Value),
                                seeds.Average(seed => Of(arm, best, seed).Scores[name].Value),
                                PairedComparison.Of(
                                    seeds.Select(seed =>
                                        (seed, Of(arm, best, seed).Scores[name].Value, Of(Baseline, best, seed).Scores[name].Value)),
                                    0.95))),
                    ],
        };
    }

    private static RunResult Run(
        string regime, string model, string arm, double effect, long seed, double rate, double best, bool diverges, bool scores)
    {
        string label = FormattableString.Invariant($"{regime}/{model}/{arm} lr {rate:0.##e+0} seed {seed}");
        double distance = Math.Log10(rate / best),
            end = 1.92 + (0.02 * Noise($"{model}{seed}")) + (0.14 * distance * distance) + effect + (0.0022 * Noise(label));
        double Loss(double step) => end + (3.6 * Math.Exp(-step / 70)) + (0.9 * Math.Exp(-step / 420)) - (0.9 * Math.Exp(-Steps / 420.0));
        bool transitions = arm != Baseline && !arm.Contains("lr", StringComparison.Ordinal);
        long[] every25 = [.. Enumerable.Range(0, 60).Select(index => (long)(index + 1) * 25)];
        double Drift(long step, int layer, double pair) =>
            pair * (0.5 + (0.12 * layer)) * (step - (transitions ? Math.Floor((step - 1) / 250.0) * 250 : 0)) / Steps;
        return new RunResult
        {
            Version = RunResult.CurrentVersion,
            Id = Id(regime, model, arm, rate, seed),
            Label = label,
            Outcome = diverges ? RunOutcome.Diverged : RunOutcome.Completed,
            Reason = diverges ? "the loss was not finite at step 212" : null,
            Configuration = $"seed: {seed}\nsteps: {Steps}\n",
            Seed = seed,
            LearningRate = rate,
            Parameters = 987_654,
            InitialWeights = $"{Hash($"{model}{seed}"):x16}",
            Steps = Steps,
            Tokens = Steps * TokensPerStep,
            Seconds = 300 + (10 * Noise(label)),
            TrainingLoss =
            [
                .. Enumerable
                    .Range(1, 150)
                    .Select(index => new LossPoint(
                        index * 10, index * 10 * TokensPerStep, Loss(index * 10) + (0.02 * Noise($"{label}{index}")))),
            ],
            HeldOut =
            [
                .. Enumerable
                    .Range(1, 15)
                    .Select(index => new HeldOutPoint(
                        index * 100, index * 100 * TokensPerStep, Loss(index * 100) + 0.01,
                        Loss(index * 100) + (index < 15 ? 0.001 * Noise($"{label}held{index}") : 0))),
            ],
            Imbalances =
            [
                .. new[] { ("qk", 1.0), ("vo", -1.6) }.SelectMany(pair =>
                    Enumerable
                        .Range(0, Layers)
                        .Select(layer => new LayerSeries(
                            pair.Item1,
                            layer,
                            every25,
                            [.. every25.Select(step => Drift(step, layer, pair.Item2))]))),
            ],
            Norms =
            [
                .. new[] { ("q", 900.0), ("k", 460.0), ("v", 440.0), ("o", 880.0) }.SelectMany(name =>
                    Enumerable
                        .Range(0, Layers)
                        .Select(layer => new LayerSeries(
                            name.Item1,
                            layer,
                            every25,
                            [.. every25.Select(step => name.Item2 * (1 + (0.1 * layer) + (0.4 * step / Steps)))]))),
            ],
            Transitions = !transitions
                ? []
                :
                [
                    .. Enumerable
                        .Range(0, 6)
                        .SelectMany(index =>
                            new[] { ("qk", -0.4), ("vo", 0.5) }.SelectMany(pair =>
                                Enumerable
                                    .Range(0, Layers)
                                    .Select(layer =>
                                    {
                                        double mean = Math.Pow(2, pair.Item2 * (index == 0 ? 1 : 0.12) * (1 + (0.1 * layer)));
                                        return new AppliedFactors(index * 250, pair.Item1, layer, 2, mean, mean * 0.97, mean * 1.03);
                                    }))),
                ],
            Scores = scores
                ? new Dictionary<string, RunScore>
                {
                    ["blimp"] = new(0.61 - effect + (0.004 * Noise($"{label}blimp")), 0.01),
                    ["sciq"] = new(0.42 + (0.006 * Noise($"{label}sciq")), 0.02),
                }
                : [],
            Environment = new RunEnvironment(
                new Dictionary<string, string> { ["wisca"] = "0.1.0" }, "Made OS 1", "Invented CPU", 2, 1,
                new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero)),
        };
    }

    /// <summary>A number from -1 to 1 that a text stands for.</summary>
    private static double Noise(string text) => (2.0 * (Hash(text) >> 11) / (1UL << 53)) - 1;

    private static ulong Hash(string text) => System.IO.Hashing.XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(text));
}
