using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Running;
using Wisca.Comparison.Studies;
using Wisca.Comparison.Tests.Reports;
using Wisca.Settings;
using Wisca.Tests;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Comparison.Tests.Studies;

public sealed class StudyTests : IDisposable
{
    private const string Small =
        """
        seeds: [1, 2]
        learning_rates: [1e-3, 2e-3]
        training: { steps: 100, wisca: { preset: qk_ten+vo_ten } }
        models:
          one: { model: { config: { model_type: llama, hidden_size: 32 } } }
          two: { model: { config: { model_type: gpt2, n_embd: 32 } } }
        arms:
          wisca: { wisca: { every: 10 } }
          origin: { wisca: { preset: origin } }
          heads: { wisca: { qk: kv-head } }
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Study Read(string yaml, params string[] overrides)
    {
        File.WriteAllText(_folder["study.yaml"], yaml);
        return Study.Load(_folder["study.yaml"], overrides);
    }

    private IReadOnlyList<string> Faults(string yaml, params string[] overrides)
    {
        var exception = Should.Throw<WiscaException>(() => Read(yaml, overrides));
        exception.Hint.ShouldNotBeNull();
        return
        [
            .. (exception.Details.Count > 0 ? exception.Details : [exception.Message]).Select(fault =>
                fault.Replace(_folder["study.yaml"], "study.yaml", StringComparison.Ordinal)),
        ];
    }

    private static IReadOnlyList<PlannedRun> Runs(Study study) => study.Plan(new Dictionary<string, RunResult>()).Runs;

    [Fact]
    public void Plan_OneGrid_IsEveryCombinationWithPairsSideBySide()
    {
        var runs = Runs(Read(Small));
        runs.Count.ShouldBe(2 * 2 * 2 * 3);
        runs.Select(run => run.Id).Distinct().Count().ShouldBe(runs.Count);
        runs.Take(7).Select(run => run.Label).ShouldBe(
        [
            "main/one/origin lr 1e-3 seed 1", "main/one/wisca lr 1e-3 seed 1", "main/one/heads lr 1e-3 seed 1",
            "main/two/origin lr 1e-3 seed 1",
            "main/two/wisca lr 1e-3 seed 1",
            "main/two/heads lr 1e-3 seed 1",
            "main/one/origin lr 2e-3 seed 1",
        ]);
    }

    [Fact]
    public void Plan_Layers_AreLaidOverEachOther()
    {
        File.WriteAllText(_folder["base.yaml"], "batch_size: 3\nsteps: 7\noptimizer: { weight_decay: 0.3 }");
        var study = Read("base: base.yaml\n" + Small, "training.optimizer.clip=none", "models.two.steps=50");
        var run = Runs(study).First(run => run is { Model: "two", Arm: "heads", Seed: 2, LearningRate: 2e-3 });
        var config = (TrainingConfig)run.Config;
        (
            config.BatchSize, config.Steps, config.Seed, config.Optimizer.WeightDecay, config.Optimizer.Clip, config.Optimizer.LearningRate
        ).ShouldBe((3, 50, 2, 0.3, null, 2e-3));

        // What the preset below said holds where the arm says nothing.
        (config.Wisca.QueryKey, config.Wisca.ValueOutput).ShouldBe((Granularity.KvHead, Granularity.Tensor));
        config.Model.Config!.Mapping!.ToJsonString().ShouldBe("""{"model_type":"gpt2","n_embd":32}""");
        config.Data.TestShare.ShouldBe(0.5);
        study.ConfigOf("main", "one", "origin").Wisca.IsActive.ShouldBeFalse();
    }

    [Fact]
    public void Plan_SettingsThatComputeNothing_KeepTheId()
    {
        string[] ids = [.. Runs(Read(Small)).Select(run => run.Id)];
        Runs(
                Read(
                    Small, "output=elsewhere", "threads=3", "training.logging.every=1", "training.checkpoints.every=7",
                    "training.data.cache=x", "keep_models=true"))
            .Select(run => run.Id)
            .ShouldBe(ids);
        var changed = Runs(Read(Small, "arms.wisca.wisca.every=11"));
        changed
            .Where(run => run.Arm != "wisca")
            .Select(run => run.Id)
            .ShouldBe(Runs(Read(Small)).Where(run => run.Arm != "wisca").Select(run => run.Id));
        changed.Where(run => run.Arm == "wisca").Select(run => run.Id).ShouldAllBe(id => !ids.Contains(id));
        Runs(Read(Small, "training.steps=101")).Select(run => run.Id).Intersect(ids).ShouldBeEmpty();
    }

    [Fact]
    public void Plan_Costs_DivideTheStepsOfTheirArmsAndAreComparedApart()
    {
        var study = Read(Small +
            """

            grids:
              - { name: tokens, models: [one] }
              - { name: time, models: [one], costs: { wisca: 1.6, heads: 0.5 } }
              - { name: again, models: [one], costs: { wisca: 1.6, heads: 0.5 }, seeds: [7] }
            """);
        study.Regimes.Select(regime => (regime.Name, regime.AtEqualTime)).ShouldBe([("tokens", false), ("time", true)]);
        int Steps(string regime, string arm) => ((TrainingConfig)study.ConfigOf(regime, "one", arm)).Steps;
        (Steps("tokens", "wisca"), Steps("time", "origin"), Steps("time", "wisca"), Steps("time", "heads")).ShouldBe((100, 100, 62, 200));

        // The baseline's runs are the same ones.
        var runs = Runs(study);
        string[] Ids(string regime, string arm) =>
            [.. runs.Where(run => run.Regime == regime && run.Arm == arm && run.Seed != 7).Select(run => run.Id).Order()];
        Ids("time", "origin").ShouldBe(Ids("tokens", "origin"));
        Ids("time", "wisca").Intersect(Ids("tokens", "wisca")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("{ other: 2 }", "'other', expected some of origin, wisca, heads")]
    [InlineData("{ wisca: fast }", "costs.wisca: expected a number between 0.01 and 100")]
    [InlineData("{ wisca: 0 }", "costs.wisca: expected a number between 0.01 and 100")]
    [InlineData("{ wisca: { a: 1 } }", "costs.wisca: expected a number")]
    [InlineData("{ origin: 2 }", "costs.origin: expected 1")]
    public void Read_CostsThatAreNone_AreNamed(string costs, string expected)
    {
        var exception = Should.Throw<WiscaException>(() => Read(Small + $"\ngrids: [ {{ name: time, models: [one], costs: {costs} }} ]\n"));
        exception.Message.ShouldContain(expected);
    }

    [Fact]
    public void StepCost_OfPairs_IsTheMedianOfTheirRatios()
    {
        var study = Read(Small);
        var results = new Dictionary<string, RunResult>();
        StepCost.Of(study, results).ShouldBeEmpty();
        foreach (var run in Runs(study).Where(run => run is { Model: "one", LearningRate: 1e-3 }))
        {
            // 100 steps; the second seed ran on a machine that was half as fast, the arm's third step costs more or less.
            double seconds = run.Seed * 10 * (run.Arm == "wisca" ? 1 + (0.25 * run.Seed) : 1);
            results[run.Id] = MadeResult.Of(run, 3, 3) with { ProcessorSeconds = run.Arm == "heads" ? null : seconds };
        }

        // What was interrupted has no time, and is no pair.
        var cost = StepCost.Of(study, results).ShouldHaveSingleItem();
        (cost.Model, cost.Arm, cost.Pairs).ShouldBe(("one", "wisca", 2));
        cost.Least.ShouldBe(1.25, 1e-12);
        cost.Cost.ShouldBe(1.375, 1e-12);
        cost.Greatest.ShouldBe(1.5, 1e-12);
    }

    [Fact]
    public void Plan_TextElsewhere_KeepsTheIdUnlessItsLengthChanges()
    {
        foreach (string place in (string[])["a", "b"]) Directory.CreateDirectory(_folder[place]);
        File.WriteAllText(_folder["a", "text.txt"], "one text");
        File.WriteAllText(_folder["b", "text.txt"], "one text");
        string In(string place) => Runs(Read(Small, $"training.data.train=[{_folder[place, "text.txt"]}]"))[0].Id;
        In("a").ShouldBe(In("b"));
        File.AppendAllText(_folder["b", "text.txt"], "!");
        In("a").ShouldNotBe(In("b"));
    }

    [Fact]
    public void Plan_Best_WaitsForTheBaselineAndTakesItsBestRate()
    {
        var study = Read(Small +
            """

            grids:
              - { name: sweep, models: [one], arms: [origin], learning_rates: [1e-3, 2e-3, 4e-3] }
              - { name: arms, models: [one], learning_rates: best, seeds: [5] }
              - { name: other, models: [one], arms: [wisca], learning_rates: [3e-3], training: { batch_size: 2 } }
            """);
        study.Regimes.Select(regime => regime.Name).ShouldBe(["sweep", "other"]);
        var results = new Dictionary<string, RunResult>();
        var plan = study.Plan(results);
        plan.Waiting.ShouldHaveSingleItem().ShouldStartWith("grid arms, one: waits");
        plan.Runs.Count.ShouldBe(3 * 2 + 2 * 2);
        foreach (var run in plan.Runs.Where(run => run is { Regime: "sweep" }))
        {
            study.Plan(results).Waiting.Count.ShouldBe(1);

            // The best on the validation text, not on the test text, and not where a seed diverged.
            results[run.Id] =
                run.LearningRate == 4e-3 && run.Seed == 2
                    ? MadeResult.Diverged(run)
                    : MadeResult.Of(
                        run,
                        run.LearningRate switch
                        {
                            1e-3 => 3,
                            2e-3 => 2.9,
                            _ => 2.5,
                        },
                        run.LearningRate switch
                        {
                            1e-3 => 2.5,
                            2e-3 => 2.9,
                            _ => 2.4,
                        });
        }

        plan = study.Plan(results);
        plan.Waiting.ShouldBeEmpty();
        plan.Runs.Where(run => run.Seed == 5)
            .Select(run => (run.Arm, run.LearningRate))
            .ShouldBe([("origin", 2e-3), ("wisca", 2e-3), ("heads", 2e-3)]);
        plan.Runs[^1].Config.BatchSize.ShouldBe(2);
    }

    [Fact]
    public void Load_ManyMistakes_ReportsAllWithTheirLines() => Faults(
        """
        training: { steps: 0, learning_rate: 1 }
        arms:
          origin: { wisca: { preset: origin } }
          wrong: { wisca: { evry: 10 } }
        """).ShouldBe(
        [
            "study.yaml:1: steps: '0', expected a whole number at least 1",
            "study.yaml:1: learning_rate: unknown key (did you mean 'optimizer.learning_rate'?)",
        ],
        ignoreOrder: true);

    [Fact]
    public void Load_MistakesOfArms_ReportsEachOnce() => Faults(
        """
        models: { a: { steps: 10 }, b: { steps: 20 } }
        arms:
          origin: { wisca: { preset: origin } }
          wrong: { wisca: { evry: 10 }, seed: 3 }
          rate: { optimizer: { learning_rate: 0.1 } }
          late: { wisca: { at: [15] } }
        """).ShouldBe(
        [
            "study.yaml:4: wisca.evry: unknown key (did you mean 'every'?)",
            "study.yaml:4: seed: given, expected none: the study's seeds decide",
            "study.yaml:5: optimizer.learning_rate: given by an arm, expected none: arms are compared at the study's learning_rates; "
            + "optimizer.multipliers changes those of single tensors",
            "study.yaml:6: wisca.at: step 15, expected at most the 10 of the run",
        ], ignoreOrder: true);

    [Theory]
    [InlineData("arms: {}", "arms: none, expected at least two")]
    [InlineData("arms: { origin: {} }", "only the baseline")]
    [InlineData("arms: { a: {}, b: {} }", "baseline: 'origin', expected one of the arms a, b")]
    [InlineData("arms: { origin: {}, 'a b': {} }", "the name 'a b'")]
    [InlineData("arms: { origin: {}, a: 3 }", "arms.a: not a mapping")]
    [InlineData("arms: { origin: {}, a: {} }\nseeds: []", "seeds: none")]
    [InlineData(
        "arms: { origin: {}, a: {} }\ngrids: [{ name: g, arms: [b], models: [m] }]",
        "grids.g.arms: 'b', expected some of origin, a")]
    [InlineData("arms: { origin: {}, a: {} }\ngrids: [{ name: g }, { name: g }]", "two are called g")]
    [InlineData(
        "arms: { origin: {}, a: {} }\ngrids: [{ name: g, learning_rates: best }]",
        "no grid with the same training settings states learning rates for model")]
    [InlineData("arms: { origin: {}, a: {} }\ngrids: [{ name: g, learning_rates: [best, 1e-3] }]", "best among others")]
    [InlineData("arms: { origin: {}, a: {} }\ngrids: [{ name: g, learning_rates: [0] }]", "not above 0")]
    [InlineData(
        "arms: { origin: {}, a: {} }\ngrids: [{ name: g, learning_rates: [fast] }]",
        "expected a list, each a number above 0, or best")]
    [InlineData("arms: { origin: {}, a: {} }\nlearning_rate: 1", "unknown key (did you mean 'learning_rates'?)")]
    [InlineData("arms: { origin: {}, a: {} }\nbase: none.yaml", "none.yaml does not exist")]
    [InlineData("arms: [origin, a]", "a list, expected a mapping of names")]
    public void Load_Mistake_IsNamed(string yaml, string expected) => Faults(yaml).ShouldContain(fault => fault.Contains(expected));

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void IsIn_AllShards_ShareTheRunsWithoutPartingPairs(int parts)
    {
        var runs = Runs(Read(Small, "seeds=[1,2,3,4,5,6]"));
        foreach (var run in runs) Enumerable.Range(1, parts).Count(part => StudyRunner.IsIn(run, (part, parts))).ShouldBe(1);
        foreach (var pair in runs.GroupBy(run => (run.Model, run.Seed, run.LearningRate)))
            pair.Select(run => StudyRunner.IsIn(run, (1, parts))).Distinct().Count().ShouldBe(1);
        runs.Count(run => StudyRunner.IsIn(run, (1, parts))).ShouldBeInRange(1, runs.Count - 1);
    }

    [Fact]
    public void Configuration_Written_ReadsBackAsTheSameRuns()
    {
        var study = Read(
            Small + "\ngrids: [{ name: g, learning_rates: [1e-3], training: { batch_size: 2, data: { separator: '<|x|>' } } }]");
        string[] ids = [.. Runs(study).Select(run => run.Id)];
        Runs(Read(SettingsWriter.Write(study.Config, commented: true))).Select(run => run.Id).ShouldBe(ids);
    }
}
