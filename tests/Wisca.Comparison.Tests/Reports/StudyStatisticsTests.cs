using System.Text.Json;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Comparison.Studies;
using Wisca.Tests;

namespace Wisca.Comparison.Tests.Reports;

public sealed class StudyStatisticsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Study Read(string further = "", params string[] overrides)
    {
        File.WriteAllText(
            _folder["study.yaml"],
            "seeds: [1, 2, 3]\nlearning_rates: [1e-3, 2e-3]\narms: { origin: { wisca: { preset: origin } }, better: {}, same: { wisca: { "
            + "every: 3 } }, worse: { wisca: { every: 4 } } }\n"
                + further);
        return Study.Load(_folder["study.yaml"], [$"output={_folder["out"]}", .. overrides]);
    }

    /// <summary>The baseline is best at 2e-3, the better arm at 1e-3 by validation; the test text has another offset.</summary>
    private static double Loss(PlannedRun run)
    {
        double noise = 0.001 * (((run.Seed * 7) + run.Arm.Length) % 5), seed = 0.05 * run.Seed;
        double arm = run.Arm switch { "better" => -0.03, "worse" => 0.04, _ => 0 };
        double rate = run.Arm == "better" ? (run.LearningRate == 1e-3 ? 0 : 0.02) : (run.LearningRate == 1e-3 ? 0.1 : 0);
        return 3 + seed + arm + rate + noise;
    }

    private static HeldOutPoint[] Curve(params (long Tokens, double Loss)[] points) =>
        [.. points.Select(point => new HeldOutPoint(point.Tokens / 10, point.Tokens, Validation: 9, Test: point.Loss))];

    private static Dictionary<string, RunResult> Results(Study study, Func<PlannedRun, RunResult>? make = null) =>
        study
            .Plan(new Dictionary<string, RunResult>())
            .Runs.DistinctBy(run => run.Id)
            .ToDictionary(run => run.Id, run => make?.Invoke(run) ?? MadeResult.Of(run, Loss(run), Loss(run) + 0.5));

    [Fact]
    public void Of_PlantedDifferences_AreFoundAtEachArmsBestRate()
    {
        var study = Read();
        var results = Results(study);
        var model = StudyStatistics.Of(study, results, []).Models.ShouldHaveSingleItem();
        (model.Comparisons, model.SharedInitialWeights, model.Arms.Count).ShouldBe((3, true, 4));
        var arms = model.Arms.ToDictionary(arm => arm.Name);
        arms["origin"].BestLearningRate.ShouldBe(2e-3);
        arms["better"].BestLearningRate.ShouldBe(1e-3);
        (arms["better"].AtBest!.LearningRate, arms["better"].AtBest!.BaselineLearningRate).ShouldBe((1e-3, 2e-3));
        arms["better"].AtBest!.Loss.Verdict.ShouldBe(Verdict.Lower);
        arms["worse"].AtBest!.Loss.Verdict.ShouldBe(Verdict.Higher);
        arms["same"].AtBest!.Loss.Verdict.ShouldBe(Verdict.NoDifferenceShown);
        foreach (var arm in model.Arms.Skip(1))
        {
            var expected = study.Plan(results).Runs.Where(run => run.Arm == arm.Name && run.LearningRate == arm.BestLearningRate)
                .Select(run => Loss(run) - Loss(run with { Arm = "origin", LearningRate = 2e-3 })).ToList();
            arm.AtBest!.Loss.Differences.Zip(expected).ShouldAllBe(pair => Math.Abs(pair.First - pair.Second) < 1e-12);
            arm.AtBest.PerplexityChange.ShouldBe(100 * (Math.Exp(expected.Average()) - 1), 1e-9);
            arm.AtBest.HolmPValue!.Value.ShouldBeGreaterThanOrEqualTo(arm.AtBest.Loss.PValue!.Value);
            arm.AtEqualRates.Select(at => at.LearningRate).ShouldBe([1e-3, 2e-3]);
            arm.EqualTokens.Count.ShouldBe(5);
            arm.EqualTokens[0].Mean.ShouldBe(0);
            arm.EqualTokens[^1].Mean.ShouldBe(arm.AtBest.Loss.Mean, 1e-12);
        }

        // A straight line from 5 to a lower end crosses the baseline's end earlier.
        var tokens = arms["better"].EqualLoss.ShouldNotBeNull();
        (tokens.Reached, tokens.Seeds).ShouldBe((3, 3));
        tokens.Share!.Value.ShouldBeInRange(0.9, 0.99);
        arms["worse"].EqualLoss!.ShouldBe(new TokensToEqualLoss(0, 3, null, null));
    }

    /// <summary>From 5 to 4 to 2 at 100, 200 and 400 tokens: by a straight line between points, and at a point itself.</summary>
    [Theory]
    [InlineData(6, 100.0)]
    [InlineData(5, 100.0)]
    [InlineData(4.5, 150.0)]
    [InlineData(4, 200.0)]
    [InlineData(3, 300.0)]
    [InlineData(2, 400.0)]
    [InlineData(1.999, null)]
    public void Reached_Loss_IsTheFirstPlaceThatHasIt(double loss, double? tokens) =>
        StudyStatistics.Reached(Curve((100, 5), (200, 4), (400, 2)), loss).ShouldBe(tokens);

    [Fact]
    public void Reached_CurveThatStaysOrRisesAgain_IsStillTheFirst()
    {
        StudyStatistics.Reached(Curve((100, 5), (200, 3), (300, 3), (400, 3)), 3).ShouldBe(200);
        StudyStatistics.Reached(Curve((100, 5), (200, 3), (300, 4), (400, 2)), 3).ShouldBe(200);
        StudyStatistics.Reached([], 3).ShouldBeNull();
    }

    [Fact]
    public void Of_DivergedRuns_AreCountedAndAvoided()
    {
        var study = Read();
        var report = StudyStatistics.Of(
            study,
            Results(
                study,
                run =>
                    run is { Arm: "better", LearningRate: 1e-3, Seed: 2 } or { Arm: "worse" }
                        ? MadeResult.Diverged(run)
                        : MadeResult.Of(run, Loss(run), Loss(run))),
            []);
        var arms = report.Models[0].Arms.ToDictionary(arm => arm.Name);
        arms["better"].BestLearningRate.ShouldBe(2e-3);
        arms["better"].AtEqualRates[0].Diverged.ShouldBe(1);
        arms["better"].AtEqualRates[0].Loss.Seeds.ShouldBe([1, 3]);
        (arms["worse"].BestLearningRate, arms["worse"].AtBest, arms["worse"].TestLoss).ShouldBe((null, null, null));
        StudyFormat.Words(arms["worse"].AtEqualRates[0]).ShouldEndWith("3 of 3 pairs diverged");
        JsonSerializer.Serialize(report, StudyJson.Options).ShouldContain("\"diverged\"");
    }

    [Fact]
    public void Of_PartOfTheRuns_ComparesWhatIsThere()
    {
        var study = Read();
        StudyStatistics.Of(study, new Dictionary<string, RunResult>(), []).Models.ShouldBeEmpty();
        var results = Results(study);
        var runs = study.Plan(results).Runs;
        foreach (var run in runs.Where(run => run.Seed == 3 || run.Arm is "same" or "worse")) results.Remove(run.Id);
        var report = StudyStatistics.Of(study, results, [new RunFailure("x", "a run", "it fell")]);
        (report.Finished, report.Runs).ShouldBe((results.Count, runs.Count));
        report.Models[0].Arms.Select(arm => arm.Name).ShouldBe(["origin", "better"]);
        report.Models[0].Arms[1].AtBest!.Loss.Seeds.ShouldBe([1, 2]);
        report.Failures.ShouldHaveSingleItem().Reason.ShouldBe("it fell");
        foreach (var run in runs.Where(run => run.Arm == "origin")) results.Remove(run.Id);
        StudyStatistics.Of(study, results, []).Verdicts.ShouldHaveSingleItem().ShouldContain("nothing to compare yet");
    }

    [Fact]
    public void Of_OtherInitialWeights_IsSaid()
    {
        var study = Read();
        var report = StudyStatistics.Of(
            study,
            Results(study, run => MadeResult.Of(run, 3, 3) with { InitialWeights = run.Arm == "same" ? "others" : "w" }),
            []);
        report.Models[0].SharedInitialWeights.ShouldBeFalse();
    }

    [Theory]
    [InlineData(1e-6, true)]
    [InlineData(1e-2, false)]
    public void Of_FinetuningsWithOtherFactors_BeganAlikeWhereTheFunctionIsTheSame(double apart, bool alike)
    {
        File.WriteAllText(
            _folder["tuned.yaml"],
            "runs: finetune\nbaseline: lora\nseeds: [1, 2]\narms: { lora: {}, pissa: { adapter: { init: pissa } } }");
        var study = Study.Load(_folder["tuned.yaml"], [$"output={_folder["out"]}"]);
        var report = StudyStatistics.Of(
            study,
            Results(
                study,
                run =>
                    MadeResult.Of(run, 3, 3) is var made && run.Arm == "pissa"
                        ? made with
                        {
                            InitialWeights = "others",
                            HeldOut = [made.HeldOut[0] with { Test = made.HeldOut[0].Test + apart }, .. made.HeldOut.Skip(1)],
                        }
                        : made),
            []);
        report.Models[0].SharedInitialWeights.ShouldBe(alike);
        report.Models[0].InitialLossSpread.ShouldNotBeNull().ShouldBe(apart, 1e-9);
        report.Models[0].Arms[1].Settings.ShouldBe(["adapter.init: pissa"]);
    }

    [Fact]
    public void Of_Scores_AreComparedAndAveraged()
    {
        var study = Read();
        var report = StudyStatistics.Of(study, Results(study, run => MadeResult.Of(run, Loss(run), Loss(run)) with
        {
            Scores = new Dictionary<string, RunScore>
            {
                ["a"] = new(0.5 + (run.Arm == "better" ? 0.1 : 0) + (0.001 * run.Seed)),
                ["b"] = new(0.3 + (0.01 * run.Seed)),
                ["c"] = new(7) { HigherIsBetter = false, Setting = "a text" },
                ["d"] = new(1) { Setting = run.Seed == 1 ? "the first 8 documents of each task" : null },
            },
        }), []);
        var scores = report.Models[0].Arms.First(arm => arm.Name == "better").Scores;
        scores.Select(score => score.Name).ShouldBe(["a", "b", "c", "average"]);
        scores[0].Difference.Mean.ShouldBe(0.1, 1e-12);
        scores[3].Difference.Mean.ShouldBe(0.05, 1e-12);
        (scores[1].Difference.Verdict, scores[3].Difference.Verdict).ShouldBe((Verdict.NoDifferenceShown, Verdict.Higher));
    }

    [Fact]
    public void Of_SixSeeds_SaysWhatIsShownAndWhatIsNot()
    {
        var study = Read("", "seeds=[1,2,3,4,5,6]");
        var report = StudyStatistics.Of(study, Results(study), []);
        string verdict = report.Verdicts.ShouldHaveSingleItem();
        verdict.ShouldStartWith("main/model: lower perplexity than origin: better (");
        verdict.ShouldContain("no difference shown: same (");
        report.Models[0].Comparisons.ShouldBe(3);
        report.Models[0].Arms.Skip(1).ShouldAllBe(arm => arm.AtBest!.Loss.Bootstrap != null && arm.AtBest.Loss.SignTest != null);
    }

    [Fact]
    public void Folder_ResultsOfSeveralMachines_AreMerged()
    {
        var study = Read();
        var results = Results(study);
        using StudyFolder one = new(_folder["one"]), other = new(_folder["other"]);
        foreach (var run in study.Plan(results).Runs.DistinctBy(run => run.Id)) (run.Seed == 1 ? one : other).WriteResult(results[run.Id]);
        one.WriteFailure(new RunFailure(study.Plan(results).Runs.First(run => run.Seed == 2).Id, "x", "y"));
        File.WriteAllText(Path.Combine(other.RunPath(study.Plan(results).Runs.First(run => run.Seed == 2).Id), "more.txt"), "kept");
        one.Merge(_folder["other"]).Taken.ShouldBe(results.Count * 2 / 3);
        one.Merge(_folder["other"]).Taken.ShouldBe(0);
        string id = study.Plan(results).Runs.First(run => run.Seed == 2).Id;
        one.FindFailure(id).ShouldBeNull();
        File.Exists(Path.Combine(one.RunPath(id), "more.txt")).ShouldBeTrue();

        // Every number survives the file, infinities too.
        JsonSerializer
            .Serialize(StudyStatistics.Of(study, one.ReadResults().ById, []), StudyJson.Options)
            .ShouldBe(JsonSerializer.Serialize(StudyStatistics.Of(study, results, []), StudyJson.Options));
        JsonSerializer.Serialize(one.ReadResult(id), StudyJson.Options).ShouldBe(JsonSerializer.Serialize(results[id], StudyJson.Options));
        Should.Throw<WiscaException>(() => one.Merge(_folder["nowhere"])).Message.ShouldContain("has no folder runs");
    }

    [Fact]
    public void Folder_BrokenResult_IsNamed()
    {
        using var folder = new StudyFolder(_folder["out"]);
        Directory.CreateDirectory(folder.RunPath("abc"));
        string path = Path.Combine(folder.RunPath("abc"), "result.json");
        foreach (string content in (string[])["", "null", "[]", "{", "{\"version\": 1}", "{\"unknown\": 1}"])
        {
            File.WriteAllText(path, content);
            Should.Throw<WiscaException>(() => folder.ReadResult("abc")).Message.ShouldStartWith(path);
            var (results, refused) = folder.ReadResults();
            results.ShouldBeEmpty();
            refused.ShouldHaveSingleItem().Path.ShouldBe(path);
            refused[0].Reason.ShouldNotBeEmpty();
            refused[0].Reason.ShouldNotContain(path);
        }
    }

    [Fact]
    public void Lock_FolderInUse_IsRefused()
    {
        using StudyFolder one = new(_folder["out"]), two = new(_folder["out"]);
        one.Lock();
        Should.Throw<WiscaException>(two.Lock).Message.ShouldContain("is in use by another wisca compare");
    }
}
