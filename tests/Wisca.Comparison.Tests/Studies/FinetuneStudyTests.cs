using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Data.Tokenizers.Training;
using Wisca.Settings;
using Wisca.Tests;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Tests.Studies;

public sealed class FinetuneStudyTests : IDisposable
{
    private const string Small =
        """
        runs: finetune
        baseline: lora
        seeds: [1, 2]
        learning_rates: [1e-3, 2e-3]
        training: { steps: 100, adapter: { r: 4 }, wisca: { preset: origin } }
        arms:
          lora: {}
          balanced: { adapter: { balance: { every: 10 } } }
          wisca_base: { wisca: { preset: qk_ten+vo_ten } }
        """;

    private readonly TemporaryFolder _folder = new();

    public FinetuneStudyTests()
    {
        WriteBase("base", new SmallLlama());
        File.WriteAllText(
            _folder["data.json"],
            """[{"prompt": "one ", "completion": "two"}, {"prompt": "three ", "completion": "four"}]""");
    }

    public void Dispose() => _folder.Dispose();

    private void WriteBase(string name, SmallLlama model)
    {
        model.Write(_folder[name]);
        ByteTokenizer.Create().Save(_folder[name]);
    }

    private Study Read(string yaml, params string[] overrides)
    {
        File.WriteAllText(_folder["study.yaml"], yaml);
        return Study.Load(
            _folder["study.yaml"],
            [$"training.base.model={_folder["base"]}", $"training.data.train=[{_folder["data.json"]}]", .. overrides]);
    }

    private string[] Ids(params string[] overrides) =>
        [.. Read(Small, overrides).Plan(new Dictionary<string, RunResult>()).Runs.Select(run => run.Id)];

    [Fact]
    public void Plan_Layers_AreSettingsOfFinetune()
    {
        File.WriteAllText(_folder["start.yaml"], "batch_size: 3\nadapter: { alpha: 7, dropout: 0.1 }");
        var study = Read("base: start.yaml\nmodels: { one: {}, two: { base: { model: elsewhere } } }\n" + Small);
        var config = study.ConfigOf("main", "two", "balanced").ShouldBeOfType<FinetuneConfig>();
        (
            config.BatchSize, config.Steps, config.Adapter.R, config.Adapter.Alpha, config.Adapter.Dropout, config.Adapter.Balance.Every,
            config.Base.Model
        ).ShouldBe((3, 100, 4, 7, 0.1, 10, "elsewhere"));
        study.ConfigOf("main", "one", "lora").Wisca.IsActive.ShouldBeFalse();
        study.ConfigOf("main", "one", "wisca_base").Wisca.Options.Trigger.AtStart.ShouldBeTrue();

        // Half of what is held out is for the report, and the function before the first step is measured in any case.
        config.Data.TestShare.ShouldBe(0.5);
        (
            (FinetuneConfig)Read(Small, "training.evaluation.at_start=false", "training.data.test=[x]").ConfigOf("main", "model", "lora")
        ).ShouldSatisfyAllConditions(other => other.Evaluation.AtStart.ShouldBeTrue(), other => other.Data.TestShare.ShouldBeNull());
    }

    [Fact]
    public void Plan_AlternativesInLaterLayers_Win()
    {
        File.WriteAllText(_folder["start.yaml"], "epochs: 2\ndata: { held_out: 0.3 }\nadapter: { targets: [q_proj] }");
        var study = Read(
            """
            runs: finetune
            base: start.yaml
            baseline: lora
            training: { steps: 100 }
            arms:
              lora: {}
              longer: { epochs: 3 }
              once: { epochs: 1 }
              others: { adapter: { target_pattern: ".*v_proj" }, data: { validation: [x] } }
            """);
        FinetuneConfig Of(string arm) => (FinetuneConfig)study.ConfigOf("main", "model", arm);
        (Of("lora").Steps, Of("lora").Epochs).ShouldBe((100, 1));
        (Of("longer").Steps, Of("longer").Epochs).ShouldBe((null, 3));
        (Of("once").Steps, Of("once").Epochs).ShouldBe((null, 1));
        Of("others").Adapter.TargetPattern.ShouldBe(".*v_proj");
        (Of("others").Data.HeldOut, Of("others").Data.Validation.Single()).ShouldBe((null, "x"));

        // A single setting is a layer of its own over the file's.
        ((FinetuneConfig)Read(Small, "training.epochs=4").ConfigOf("main", "model", "lora")).ShouldSatisfyAllConditions(
            config => config.Steps.ShouldBeNull(),
            config => config.Epochs.ShouldBe(4));
        Should
            .Throw<WiscaException>(() => Read(Small.Replace("lora: {}", "lora: { steps: 3, epochs: 2 }", StringComparison.Ordinal)))
            .Message.ShouldContain("epochs: given together with steps");
    }

    /// <summary>An arm without an adapter, over settings that have one, is handed to a worker as text that reads back.</summary>
    [Fact]
    public void Plan_ArmWithoutAdapter_ReadsBack()
    {
        var config = (FinetuneConfig)Read(Small, "arms.full.adapter.type=none").ConfigOf("main", "model", "full");
        (config.Adapter.Type, config.Adapter.R).ShouldBe((AdapterKind.None, 8));
        SettingsReader
            .Read<FinetuneConfig>(config.ToYaml(commented: false), "request")
            .ToYaml(commented: false)
            .ShouldBe(config.ToYaml(commented: false));
    }

    [Fact]
    public void Plan_Arms_DifferInIdsAndSeedsRunNothingTwice()
    {
        string[] ids = Ids();
        ids.Distinct().Count().ShouldBe(2 * 2 * 3);
        Ids("output=elsewhere", "threads=3", "training.logging.every=1", "training.checkpoints.every=7", "keep_models=true").ShouldBe(ids);
        Ids("training.adapter.r=5").Intersect(ids).ShouldBeEmpty();
    }

    [Fact]
    public void Plan_BaseAndExamplesElsewhere_KeepTheIds()
    {
        string[] ids = Ids();
        WriteBase("sharded", new SmallLlama { Shards = 3 });
        File.Copy(_folder["data.json"], _folder["renamed.json"]);
        Ids($"training.base.model={_folder["sharded"]}", $"training.data.train=[{_folder["renamed.json"]}]").ShouldBe(ids);
    }

    [Theory]
    [InlineData("a weight")]
    [InlineData("the configuration")]
    [InlineData("the tokenizer")]
    [InlineData("the examples")]
    public void Plan_ContentThatChanges_ChangesTheIds(string what)
    {
        string[] ids = Ids();
        string file = what switch
        {
            "a weight" => _folder["base", "model.safetensors"],
            "the configuration" => _folder["base", "config.json"],
            "the tokenizer" => _folder["base", "tokenizer.json"],
            _ => _folder["data.json"],
        };
        long length = new FileInfo(file).Length;
        if (what == "a weight")
        {
            using var weights = File.OpenWrite(file);
            weights.Seek(-1, SeekOrigin.End);
            weights.WriteByte(0x41);
        }
        else if (what == "the tokenizer") File.AppendAllText(file, " ");
        else
            File.WriteAllText(
                file,
                File.ReadAllText(file)
                    .Replace(
                        what == "the examples" ? "three" : "10000.0", what == "the examples" ? "seven" : "20000.0",
                        StringComparison.Ordinal));
        if (what != "the tokenizer") new FileInfo(file).Length.ShouldBe(length);
        Ids().Intersect(ids).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("runs: tune", "runs: 'tune', expected one of train, finetune")]
    [InlineData("training: { model: { from: x } }", "model: unknown key")]
    [InlineData("training: { adapter: { rank: 3 } }", "adapter.rank: unknown key")]
    [InlineData("training: { seed: 3 }", "seed: given, expected none: the study's seeds decide")]
    [InlineData("training: { wisca: { criterion: fisher } }", "which a frozen base has none of")]
    public void Load_Mistake_IsNamedWithItsLine(string line, string expected)
    {
        string yaml =
            (line.StartsWith("runs", StringComparison.Ordinal) ? "" : "runs: finetune\n")
            + "baseline: lora\narms: { lora: {}, other: { wisca: { every: 3 } } }\n"
            + line;
        File.WriteAllText(_folder["study.yaml"], yaml);
        var exception = Should.Throw<WiscaException>(() => Study.Load(_folder["study.yaml"]));
        exception.Message.ShouldStartWith($"{_folder["study.yaml"]}:");
        exception.Message.ShouldContain(expected);
        exception.Hint.ShouldNotBeNull();
    }

    [Fact]
    public void Load_SettingsOfFinetuneInATraining_SayWhichKeySelectsThem()
    {
        File.WriteAllText(_folder["study.yaml"], "arms: { origin: {}, other: { adapter: { r: 2 } } }");
        Should.Throw<WiscaException>(() => Study.Load(_folder["study.yaml"])).Hint.ShouldNotBeNull().ShouldContain("runs");
    }
}
