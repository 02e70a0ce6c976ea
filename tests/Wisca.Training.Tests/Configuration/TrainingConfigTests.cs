using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Wisca.Settings;
using Wisca.Tests;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Training.Tests.Configuration;

public sealed class TrainingConfigTests
{
    /// <summary>Each key of the whole configuration with its setting, by reflection of the test's own.</summary>
    private static IEnumerable<(string Key, Setting Setting)> AllSettings(Type? type = null, string path = "") =>
        Setting
            .Of(type ?? typeof(TrainingConfig))
            .SelectMany(setting =>
                setting.IsSection ? AllSettings(setting.Type, $"{path}{setting.Key}.") : [(path + setting.Key, setting)]);

    private static TrainingConfig Read(string yaml, params string[] overrides) =>
        SettingsReader.Read<TrainingConfig>(yaml, "train.yaml", overrides);

    private static IReadOnlyList<string> Faults(string yaml, params string[] overrides)
    {
        var exception = Should.Throw<WiscaException>(() => Read(yaml, overrides));
        exception.Hint.ShouldNotBeNull();
        return exception.Details.Count > 0 ? exception.Details : [exception.Message];
    }

    /// <summary>The record's public state by another way than the writer's.</summary>
    private static string Facts(object config) => JsonSerializer.Serialize(config);

    [Fact]
    public void Read_NothingGiven_IsTheDefaults() => Facts(Read("")).ShouldBe(Facts(new TrainingConfig()));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ToYaml_Defaults_ReadsBackAsTheSame(bool commented)
    {
        var config = new TrainingConfig();
        string yaml = config.ToYaml(commented);
        Facts(Read(yaml)).ShouldBe(Facts(config));
        foreach (var (key, _) in AllSettings()) yaml.ShouldContain(key[(key.LastIndexOf('.') + 1)..] + ":");
    }

    [Fact]
    public void ToYaml_EverythingChanged_ReadsBackAsTheSame()
    {
        var config = new TrainingConfig
        {
            Output = "none", Seed = 1L << 40, Device = "cuda:1", Threads = 3, Precision = TrainingPrecision.Bf16, Ema = 0.999,
            Model = new()
            {
                Config = new(
                    new JsonObject
                    {
                        ["model_type"] = "gpt2",
                        ["n_embd"] = 8,
                        ["x"] = new JsonArray(1.5, null, true, "1", "true", "é\"\\\u2028"),
                    }),
            },
            Tokenizer = new() { Path = "a: b # c" },
            Data = new() { Train = ["*.jsonl", "- x", "", " ", "1", "~", "a\nb\t\0"], Validation = ["true"], Separator = "<|endoftext|>" },
            Optimizer = new()
            {
                LearningRate = 1e-300, Betas = [0, 0.999999999999], Epsilon = 1e-12, Clip = null,
                Multipliers =
                [
                    new()
                    {
                        Parameters = "*.q_proj.weight",
                        LearningRate = 1.5,
                        KeepDecay = true,
                    },
                    new() { Parameters = "{[,]}" },
                ],
            },
            Schedule = new() { Name = ScheduleKind.WarmupStableDecay, DecaySteps = 7 },
            Wisca = new()
            {
                QueryKey = null,
                ValueOutput = Granularity.KvHead,
                Round = FactorRounding.None,
                At = [3, 4],
                Threshold = 0.5,
                Until = 9,
                Layers = "0-3,8,30-",
                TransportEpsilon = true,
            },
            Evaluation = new() { Tokens = null, Samples = new() { Prompts = [], Every = 0 } },
            Ending = new() { LossExplosion = null, Minutes = 0.5 },
        };

        // An empty text cannot be given, so it is not printed for one.
        config = config with { Data = config.Data with { Train = [.. config.Data.Train.Where(path => path.Length > 0)] } };
        Facts(Read(config.ToYaml(true))).ShouldBe(Facts(config));
        Facts(Read(config.ToYaml(false))).ShouldBe(Facts(config));
    }

    [Fact]
    public void ToYaml_AnyText_ReadsBackAsTheSame() => Gen.String[1, 12].Where(text => !text.Any(char.IsSurrogate)).Sample(
        text =>
            Read(
                new TrainingConfig
                {
                    Output = text,
                    Data = new() { Train = [text, text] },
                }.ToYaml(false))
                is { } read
            && read.Output == text
            && read.Data.Train.All(path => path == text),
        iter: 2000);

    [Fact]
    public void ToYaml_AnyNumber_ReadsBackAsTheSame() =>
        Gen.Double[1e-320, 1e300]
            .Sample(
                number =>
                    Read(new TrainingConfig { Optimizer = new() { LearningRate = number } }.ToYaml(false)).Optimizer.LearningRate == number,
                iter: 500);

    [Fact]
    public void EverySetting_OfAnotherType_IsRefusedWithItsKeyAndLine()
    {
        foreach (var (key, setting) in AllSettings())
        {
            string wrong = setting.Type == typeof(string) || setting.Type == typeof(FileOrMapping) ? "[[1]]" : "\"text\"";
            Faults($"# first line\n\n{Nested(key, wrong)}").ShouldHaveSingleItem().ShouldSatisfyAllConditions(
                fault => fault.ShouldStartWith($"train.yaml:{3 + key.Count(c => c == '.')}: {key}"),
                fault => fault.ShouldEndWith(setting.Type.IsEnum || fault.Contains("did you") ? "" : $"expected {setting.Expected}"));
        }
    }

    [Fact]
    public void EveryNumber_OutOfRange_IsRefusedAndItsBoundsAreNot()
    {
        foreach (
            var (key, setting) in AllSettings()
                .Where(entry =>
                    entry.Setting.Type == typeof(int) || entry.Setting.Type == typeof(double) || entry.Setting.Type == typeof(long)))
        {
            setting.Attribute.Minimum.ShouldNotBe(double.NegativeInfinity, key);
            double beyond = setting.Attribute.Above ? setting.Attribute.Minimum : setting.Attribute.Minimum - 1;
            string list = setting.Attribute.Count == 2 ? $"[0.5, {Setting.Number(beyond)}]" : Setting.Number(beyond);
            Faults(Nested(key, list)).ShouldHaveSingleItem().ShouldContain($": {key}");
            foreach (string never in (string[])[".inf", ".nan", "NaN", "Infinity", "1e999", "1_000", "0x10", "99999999999999999999"])
            {
                if (never[0] == '9' && setting.Type == typeof(double)) continue;
                Faults(Nested(key, setting.Attribute.Count == 2 ? $"[0.5, {never}]" : never))
                    .ShouldHaveSingleItem()
                    .ShouldContain($"'{never}'");
            }
        }
    }

    [Fact]
    public void EverySetting_IsDocumentedInWholeSentences()
    {
        foreach (var (key, setting) in AllSettings()) setting.Attribute.Documentation.ShouldEndWith(".", Case.Sensitive, key);
    }

    [Fact]
    public void Read_ManyMistakes_ReportsAllInTheOrderOfTheFile()
    {
        var faults = Faults(
            """
            sed: 3
            steps: many
            optimizer:
              name: adam
              learning_rate: -1
              beta: [0.9, 0.95]
              betas: [0.9]
              weight_decay: "0.1"
            learning_rate: 0.1
            wisca:
              vo: pair
              layers: 3-x
            evaluation: yes
            steps: 3
            model: { from: a, config: b }
            nothing_like_it: 1
            """,
            "schedule.warmup=1e2", "data.sequnce=1", "seed", "threads=", "optimizer.name.x=1");
        faults.ShouldBe(
        [
            "train.yaml:1: sed: unknown key (did you mean 'seed'?)",
            "train.yaml:2: steps: 'many', expected a whole number at least 1",
            "train.yaml:4: optimizer.name: 'adam', expected one of adamw, sgd, lion, muon, soap (did you mean 'adamw'?)",
            "train.yaml:5: optimizer.learning_rate: '-1', expected a number above 0",
            "train.yaml:6: optimizer.beta: unknown key (did you mean 'betas'?)",
            "train.yaml:7: optimizer.betas: 1 item, expected a list of 2, each a number at least 0 and below 1, or none",
            "train.yaml:8: optimizer.weight_decay: the text \"0.1\", expected a number at least 0",
            "train.yaml:9: learning_rate: unknown key (did you mean 'optimizer.learning_rate'?)",
            "train.yaml:11: wisca.vo: 'pair', expected one of tensor, kv-head, channel, or none",
            "train.yaml:12: wisca.layers: '3-x', expected all, or layers such as 0-3,8,30-",
            "train.yaml:13: evaluation: 'yes', expected a mapping",
            "train.yaml:14: steps: given twice, expected once (first at train.yaml:2)",
            "train.yaml:15: model.config: given together with model.from, expected one of the two",
            "train.yaml:16: nothing_like_it: unknown key, expected one of "
            + $"{string.Join(", ", Setting.Of(typeof(TrainingConfig)).Select(setting => setting.Key))}",
            "--set data.sequnce=1: data.sequnce: unknown key, expected in 'data' one of train, validation, held_out, test, test_share, "
            + "field, separator, sequence_length, cache, stories",
            "--set seed: seed: no value, expected section.key=value",
            "--set threads=: threads: no value, expected section.key=value",
            "--set optimizer.name.x=1: optimizer.name.x: 'optimizer.name' has no keys below it, expected optimizer.name=VALUE",
            "--set schedule.warmup=1e2: schedule.warmup: '1e2', expected a whole number at least 0, or none",
        ], ignoreOrder: true);
        faults
            .Take(14)
            .Select(fault => fault.Split(':')[1])
            .ShouldBe(["1", "2", "4", "5", "6", "7", "8", "9", "11", "12", "13", "14", "15", "16"]);
    }

    [Theory]
    [InlineData("a: [1", "train.yaml:")]
    [InlineData("a: b: c", "train.yaml:1: ")]
    [InlineData("- 1", "not a mapping")]
    [InlineData("text", "not a mapping")]
    [InlineData("steps: &a 3", "an anchor")]
    [InlineData("steps: !!int 3", "a tag")]
    [InlineData("steps: 3\n---\nsteps: 4", "a second document")]
    [InlineData("? [a]\n: 1", "a key that is not text")]
    [InlineData("steps: *a", "train.yaml:1: ")]
    [InlineData("a: [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]", "more than 16 levels")]
    [InlineData("steps:", "steps: nothing, expected a whole number at least 1")]
    [InlineData("steps: none", "steps: 'none', expected a whole number at least 1")]
    [InlineData("steps: 3000000000", "'3000000000'")]
    [InlineData("checkpoints: { best: yes }", "'yes', expected true or false")]
    [InlineData(
        "optimizer:\n  multipliers:\n    - learning_rate: 2",
        "train.yaml:3: optimizer.multipliers[0].parameters: missing, expected text")]
    [InlineData("optimizer: { multipliers: [{ parameters: a, lr: 2 }] }", "optimizer.multipliers[0].lr: unknown key")]
    [InlineData("output: \"\"", "expected text")]
    public void Read_NotAsItShouldBe_SaysWhereAndWhat(string yaml, string expected) =>
        Faults(yaml).ShouldContain(fault => fault.Contains(expected));

    [Theory]
    [InlineData("steps: 10\nschedule: { warmup: 20 }", "schedule.warmup")]
    [InlineData("schedule: { decay_steps: 1950 }", "schedule.decay_steps")]
    [InlineData("schedule: { name: constant, decay_steps: 5 }", "schedule.decay_steps")]
    [InlineData("wisca: { at: [5, 3000] }", "wisca.at")]
    [InlineData("wisca: { at: [5], until: 4 }", "wisca.at")]
    [InlineData("wisca: { transport_epsilon: true, state: keep }", "wisca.transport_epsilon")]
    [InlineData("wisca: { transport_epsilon: true }\noptimizer: { name: sgd }", "wisca.transport_epsilon")]
    [InlineData("wisca: { criterion: fisher }\noptimizer: { name: muon }", "wisca.criterion")]
    [InlineData("wisca: { preset: qk_ten, vo: none }", "wisca.preset")]
    [InlineData("wisca: { all: true, qk: pair }", "wisca.all")]
    [InlineData("wisca: { all: true, criterion: rms }", "wisca.all")]
    [InlineData("wisca: { mlp: kv-head }", "wisca.mlp")]
    [InlineData("wisca: { norms: kv-head }", "wisca.norms")]
    [InlineData("wisca: { preset: qk_ten+qk_row }", "wisca.preset")]
    [InlineData("wisca: { preset: qk }", "wisca.preset")]
    [InlineData("optimizer: { name: sgd, betas: [0.9, 0.9] }", "optimizer.betas")]
    [InlineData("optimizer: { name: lion, epsilon: 1e-8 }", "optimizer.epsilon")]
    [InlineData("optimizer: { momentum: 0.9 }", "optimizer.momentum")]
    [InlineData("optimizer: { name: soap, momentum: 0.9 }", "optimizer.momentum")]
    [InlineData("optimizer: { shampoo_beta: 0.9 }", "optimizer.shampoo_beta")]
    [InlineData("optimizer: { name: muon, refresh: 10 }", "optimizer.refresh")]
    [InlineData("optimizer: { name: lion, max_dimension: 10 }", "optimizer.max_dimension")]
    [InlineData("model: { from: a, initialization: { standard_deviation: 0.1 } }", "model.initialization.standard_deviation")]
    [InlineData("model: { from: a, initialization: { residual_scaling: true } }", "model.initialization.residual_scaling")]
    [InlineData("model: { from: a }\ntokenizer: { source: bytes }", "tokenizer.source")]
    [InlineData("tokenizer: { source: bytes, path: a }", "tokenizer.path")]
    [InlineData("data: { train: [] }", "data.train")]
    [InlineData("data: { validation: [a], held_out: 0.1 }", "data.held_out")]
    [InlineData("data: { test: [a], test_share: 0.1 }", "data.test_share")]
    [InlineData("optimizer: { name: sgd, multipliers: [{ parameters: a, epsilon: 2 }] }", "optimizer.multipliers")]
    [InlineData("evaluation: { samples: { prompts: [] } }", "evaluation.samples.prompts")]
    public void Read_Contradiction_NamesTheKey(string yaml, string key) => Faults(yaml).ShouldHaveSingleItem().ShouldContain($": {key}: ");

    [Fact]
    public void Read_ContradictionOfAWrongValue_IsNotReported() =>
        Faults("steps: 0\nschedule: { warmup: 5000 }")
            .ShouldHaveSingleItem()
            .ShouldBe("train.yaml:1: steps: '0', expected a whole number at least 1");

    [Theory]
    [InlineData("qk_ten+vo_ten", Granularity.Tensor, Granularity.Tensor)]
    [InlineData("vo_row", null, Granularity.Channel)]
    [InlineData("qk_row", Granularity.Pair, null)]
    [InlineData("origin", null, null)]
    public void Read_Preset_StandsForQkAndVo(string preset, Granularity? queryKey, Granularity? valueOutput)
    {
        var config = Read("", $"wisca.preset={preset}");
        (config.Wisca.QueryKey, config.Wisca.ValueOutput, config.Wisca.Preset).ShouldBe((queryKey, valueOutput, null));
        config.Wisca.IsActive.ShouldBe(preset != "origin");
        Facts(Read(config.ToYaml(true))).ShouldBe(Facts(config));
    }

    [Fact]
    public void Options_OfEverySection_AreWhatWasSet()
    {
        var config = Read("", "wisca.qk=kv-head", "wisca.vo=none", "wisca.at=[3]", "wisca.until=1000", "wisca.every=7", "wisca.init=false",
        "wisca.round=pow2", "wisca.layers=0-1", "wisca.state=reset",
            "optimizer.multipliers=[{ parameters: '*.v_proj.weight', learning_rate: 2, keep_decay: true, weight_decay: 0.5, epsilon: "
            + "0.25, part: 3/3 }]",
            "optimizer.clip=0",
            "schedule.name=wsd");
        var options = config.Wisca.Options;
        options.Transitions.ShouldBe(
            new TransitionOptions
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = null,
                Balance = new(Rounding: FactorRounding.PowerOfTwo, Hysteresis: 0.1),
                Layers = new("0-1") { Key = "wisca.layers" },
            });
        Enumerable
            .Range(0, 2000)
            .Where(step => options.Trigger.IsDue(step))
            .ShouldBe(Enumerable.Range(1, 1000).Where(step => step == 3 || step % 7 == 0));
        options.State.ShouldBe(StatePolicy.Reset);
        config
            .Optimizer.ParameterSettings.Rules.ShouldHaveSingleItem()
            .ShouldBe(
                new("*.v_proj.weight")
                {
                    LearningRateMultiplier = 2,
                    KeepDecay = true,
                    WeightDecay = 0.5,
                    EpsilonMultiplier = 0.25,
                    Part = (3, 3),
                });
        config.Optimizer.LargestNorm.ShouldBeNull();
        config.Schedule.DecayStepsOf(config.Steps).ShouldBe(400);
        new ScheduleSection().DecayStepsOf(2000).ShouldBe(1900);

        // The defaults are those of the library.
        new TrainingConfig().Wisca.Options.Trigger.ShouldBe(new WiscaTrigger { Steps = new TrainingConfig().Wisca.Options.Trigger.Steps });
    }

    [Fact]
    public void Read_Overrides_WinOverTheFile()
    {
        var config = Read(
            "steps: 500\noptimizer: { learning_rate: 0.1, clip: 2 }\nmodel:\n  config: { model_type: llama, hidden_size: 64 }\nschedule:\n",
            "optimizer.learning_rate=3e-4", "optimizer.clip=none", "wisca.at=[1, 2]", "data.train=a.txt", "model.config.hidden_size=32",
            "schedule.warmup=7", "steps=600", "steps=700", "ema=0.5",
            "optimizer.multipliers=[{ parameters: '*.q_proj.weight', learning_rate: 1.5 }]");
        config.Steps.ShouldBe(700);
        config.Optimizer.LearningRate.ShouldBe(3e-4);
        config.Optimizer.Clip.ShouldBeNull();
        config
            .Optimizer.Multipliers.ShouldHaveSingleItem()
            .ShouldBe(new ParameterMultiplier { Parameters = "*.q_proj.weight", LearningRate = 1.5 });
        config.Wisca.At.ShouldBe([1, 2]);
        config.Data.Train.ShouldBe(["a.txt"]);
        config.Model.Config!.Mapping!.ToJsonString().ShouldBe("""{"model_type":"llama","hidden_size":32}""");
        config.Schedule.Warmup.ShouldBe(7);
        config.Ema.ShouldBe(0.5);
    }

    [Fact]
    public void Read_AnyText_IsReadOrRefusedButNeverFails()
    {
        string good = Read("", "optimizer.multipliers=[{ parameters: a }]", "model.config={ a: [1, { b: c }] }").ToYaml(false);
        const string letters = "{}[],:-#&*!|>'\"%@`?\t\n\r\0 a1.~\u2028\ud800é";
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 12], Gen.Int[0, letters.Length - 1].Array[0, 4]).Array[1, 3].Sample(
            changes =>
            {
                string text = good;
                foreach (var (at, count, inserted) in changes)
                {
                    int start = Math.Min(at, text.Length);
                    text = text.Remove(start, Math.Min(count, text.Length - start))
                        .Insert(start, string.Concat(inserted.Select(index => letters[index])));
                }

                try
                {
                    Read(text);
                }
                catch (WiscaException exception)
                {
                    (exception.Details.Count > 0 ? exception.Details : [exception.Message]).ShouldAllBe(line =>
                        line.StartsWith("train.yaml"));
                }
            },
            iter: 3000);
    }

    [Fact]
    public void Differences_SomeSettings_AreNamedWithBothValues()
    {
        var before = new TrainingConfig();
        var after = before with
        {
            Steps = 3000,
            Ema = 0.5,
            Wisca = before.Wisca with { At = [1, 2] },
            Data = before.Data with { Train = ["stories"] },
        };
        SettingsWriter
            .Differences(before, after)
            .ShouldBe([("steps", "2000", "3000"), ("ema", "none", "0.5"), ("wisca.at", "[]", "[1, 2]")]);
        SettingsWriter.Hash(after).ShouldNotBe(SettingsWriter.Hash(before));
        SettingsWriter.Hash(Read(after.ToYaml(true))).ShouldBe(SettingsWriter.Hash(after));
    }

    /// <summary>What a hash stands for outlives versions: settings come, and move.</summary>
    [Fact]
    public void Hash_OfALaterVersion_IsTheSameWhereNothingElseIsSet()
    {
        SettingsWriter.Hash(new Later()).ShouldBe(SettingsWriter.Hash(new Earlier()));
        SettingsWriter.Hash(new Later { Rate = 2, Parts = [new Later.Part { Name = "a" }] })
            .ShouldBe(SettingsWriter.Hash(new Earlier { Rate = 2, Parts = [new Earlier.Part { Name = "a" }] }));
        string[] different =
        [
            SettingsWriter.Hash(new Later()),
            SettingsWriter.Hash(new Later { Rate = 2 }),
            SettingsWriter.Hash(new Later { More = true }),
            SettingsWriter.Hash(new Later { Parts = [new Later.Part()] }),
            SettingsWriter.Hash(new Later { Parts = [new Later.Part(), new Later.Part()] }),
            SettingsWriter.Hash(new Later { Parts = [new Later.Part { Name = "a" }, new Later.Part()] }),
            SettingsWriter.Hash(new Later { Parts = [new Later.Part(), new Later.Part { Name = "a" }] }),
            SettingsWriter.Hash(new Later { Parts = [new Later.Part { Size = 2 }] }),
        ];
        different.ShouldBeUnique();
    }

    /// <summary>How many processes compute it is no part of what is computed.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("device: cuda")]
    [InlineData("steps: 30")]
    public void Hash_DoesNotDependOnRanks(string yaml)
    {
        var config = Read(yaml);
        var shared = config with { Distributed = new() { ShardOptimizer = true, BucketMegabytes = 1, Timeout = 5 } };
        SettingsWriter.Hash(shared).ShouldBe(SettingsWriter.Hash(config));
        shared.ComputationHash.ShouldBe(config.ComputationHash);
    }

    private sealed record Earlier
    {
        [Setting("A rate.")]
        public double Rate { get; init; } = 1;

        [Setting("Parts.")]
        public IReadOnlyList<Part> Parts { get; init; } = [];

        public sealed record Part
        {
            [Setting("A name.")]
            public string Name { get; init; } = "";
        }
    }

    private sealed record Later
    {
        [Setting("Parts.")]
        public IReadOnlyList<Part> Parts { get; init; } = [];

        [Setting("Something else.")]
        public bool More { get; init; }

        [Setting("A rate.")]
        public double Rate { get; init; } = 1;

        public sealed record Part
        {
            [Setting("A size.")]
            public int Size { get; init; } = 1;

            [Setting("A name.")]
            public string Name { get; init; } = "";
        }
    }

    [Fact]
    public void DefaultConfig_OfAModel_IsOneOfAboutAMillionParameters()
    {
        var config = ModelSection.DefaultConfig();
        int hidden = (int)config["hidden_size"]!, inner = (int)config["intermediate_size"]!, layers = (int)config["num_hidden_layers"]!;
        int keys = hidden * (int)config["num_key_value_heads"]! / (int)config["num_attention_heads"]!;
        int parameters =
            (2048 * hidden) + hidden + (layers * ((2 * hidden * hidden) + (2 * hidden * keys) + (3 * hidden * inner) + (2 * hidden)));
        parameters.ShouldBeInRange(900_000, 1_100_000);
    }

    [Fact]
    public void Load_FileThatIsNotThere_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Should.Throw<WiscaException>(() => TrainingConfig.Load(folder["none.yaml"])).Message.ShouldEndWith("none.yaml does not exist");
        Should.Throw<WiscaException>(() => TrainingConfig.Load(folder.FullPath)).Message.ShouldContain("is a folder");
    }

    [Fact]
    public void EveryShippedConfig_IsRead()
    {
        string[] files =
        [
            .. Directory
                .GetFiles(Path.Combine(RepositoryRoot(), "configs"), "*.yaml")
                .Where(file => !Path.GetFileName(file).StartsWith("finetune-", StringComparison.Ordinal)),
        ];
        files
            .Select(Path.GetFileName)
            .ShouldBe(["continue-from-checkpoint.yaml", "stories-demo.yaml", "tinystories-1m.yaml"], ignoreOrder: true);
        foreach (string file in files)
        {
            var config = TrainingConfig.Load(file);
            Facts(Read(config.ToYaml(true))).ShouldBe(Facts(config));

            // Every key in them is explained where it stands.
            string[] lines = File.ReadAllLines(file);
            for (int index = 0; index < lines.Length; index++)
            {
                string line = lines[index].Trim();
                if (line.Length > 0 && line[0] != '#')
                    (line.Contains(" #", StringComparison.Ordinal) || lines[index - 1].TrimStart().StartsWith('#')).ShouldBeTrue(
                        $"{file}:{index + 1}: {line}");
            }
        }
    }

    private static string RepositoryRoot([CallerFilePath] string path = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));

    private static string Nested(string key, string value)
    {
        string[] parts = key.Split('.');
        return string.Concat(
            parts.Select((part, index) => $"{new string(' ', 2 * index)}{part}:{(index == parts.Length - 1 ? $" {value}" : "")}\n"));
    }
}
