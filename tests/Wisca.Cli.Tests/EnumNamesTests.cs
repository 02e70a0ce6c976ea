using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Wisca.Adapters;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Comparison.Studies;
using Wisca.Data.Corpora.Reading;
using Wisca.Data.Instructions;
using Wisca.Data.Tokenizers;
using Wisca.Evaluation.Flatness;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Cli.Tests;

/// <summary>Every name of an enumeration's value that a user meets, spelled out, and that all who read and print them agree.</summary>
public sealed class EnumNamesTests
{
    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private static readonly Dictionary<Type, string> Spelled = new()
    {
        [typeof(AdapterGauge)] = "original rescaled",
        [typeof(AdapterKind)] = "lora none",
        [typeof(BasisSearch)] = "iteration eigenvectors",
        [typeof(BasisSource)] = "weights hadamard random balanced",
        [typeof(CovarianceExtent)] = "all inner",
        [typeof(GainPolicy)] = "follow fold",
        [typeof(NormForm)] = "rms rms_plus_one layer layer_plus_one",
        [typeof(RotationKind)] = "stream vo qk lora",
        [typeof(RotationSource)] = "gradient momentum weights random identity hadamard",
        [typeof(SecondMomentPolicy)] = "keep mix reset",
        [typeof(SliceRole)] = "writes reads bias embedding head",
        [typeof(ValueRotation)] = "same",
        [typeof(BaseDtype)] = "fp32 stored",
        [typeof(ClipNorm)] = "gradient relative",
        [typeof(ComputePrecision)] = "float32 native float64",
        [typeof(Criterion)] = "l1 l1-mean l2 rms spectral fisher",
        [typeof(Detokenization)] = "auto wikitext none",
        [typeof(DocumentKind)] = "auto whole separator line heading",
        [typeof(DocumentProcess)] =
            "none hellaswag wsc273 llm_foundry_boolq llm_foundry_copa llm_foundry_lambada llm_foundry_wsc273",
        [typeof(EmptyAnswers)] = "error drop",
        [typeof(FactorGranularity)] = "tensor rank gl",
        [typeof(FactorRounding)] = "auto none pow2",
        [typeof(FlatnessMeasure)] = "eigenvalues trace sam gradients pairs slice between orbit",
        [typeof(Granularity)] = "tensor kv-head pair channel",
        [typeof(GroupOutcome)] = "scaled unchanged skipped",
        [typeof(InstructionFormat)] = "auto alpaca completion chat",
        [typeof(InstructionRole)] = "system user assistant tool",
        [typeof(LoraInitialization)] = "default gaussian pissa olora other",
        [typeof(LossCurveKind)] = "slice-1d slice-2d between",
        [typeof(OptimizerKind)] = "adamw sgd lion muon soap",
        [typeof(Orientation)] = "linear conv1d",
        [typeof(OverlongExamples)] = "truncate drop",
        [typeof(RopePairs)] = "none half interleaved",
        [typeof(RunCommand)] = "train finetune",
        [typeof(RunOutcome)] = "completed diverged",
        [typeof(ScheduleKind)] = "cosine linear constant wsd",
        [typeof(StatePolicy)] = "transport keep reset",
        [typeof(TaskMetric)] = "acc acc_norm perplexity",
        [typeof(TaskOutputType)] = "multiple_choice partial loglikelihood",
        [typeof(TaskSplit)] = "train validation test",
        [typeof(TokenizerSource)] = "auto train bytes",
        [typeof(TrainingPrecision)] = "fp32 bf16",
        [typeof(TransitionKind)] = "qk vo ud ng qn lora",
        [typeof(Verdict)] = "too_few_seeds no_difference_shown lower higher",
        [typeof(WeightDtype)] = "fp32 bf16",
    };

    /// <summary>Those that no user meets by name. A safetensors file spells its types as the code does.</summary>
    private static readonly Type[] Unnamed =
    [
        typeof(Activation), typeof(AttentionPath), typeof(CorpusFormat), typeof(DecayShape), typeof(Dtype),
        typeof(FusedOrder), typeof(MuonScale), typeof(NormKind), typeof(QkNorm), typeof(TokenizerKind),
    ];

    public static TheoryData<string> Named => [.. Spelled.Keys.Select(type => type.FullName!)];

    [Fact]
    public void Enumerations_AreNamedOrAreNot()
    {
        string[] assemblies = ["Core", "Settings", "Data", "Torch", "Training", "Evaluation", "Comparison", "Reporting"];
        assemblies
            .SelectMany(name => Assembly.Load($"Wisca.{name}").GetExportedTypes())
            .Where(type => type.IsEnum)
            .ShouldBe(Spelled.Keys.Concat(Unnamed), ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Named))]
    public void Names_AreSpelledSo_EverywhereAndBothWays(string type)
    {
        var enumeration = Spelled.Keys.Single(other => other.FullName == type);
        typeof(EnumNamesTests).GetMethod(nameof(Check), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(enumeration)
            .Invoke(null, [Spelled[enumeration].Split(' ')]);
    }

    [Fact]
    public void Parse_AnythingElse_SaysWhatIsExpected()
    {
        EnumNames.TryParse<Criterion>("L1", out _).ShouldBeFalse();
        EnumNames.TryParse<Criterion>("0", out _).ShouldBeFalse();
        Should
            .Throw<WiscaException>(() => EnumNames.Parse<FactorRounding>("up"))
            .Message.ShouldBe("'up', expected one of auto, none, pow2");
        Should.Throw<ArgumentOutOfRangeException>(() => ((Criterion)99).Name());
    }

    /// <summary>The command line refuses what is no name, and lists those that are.</summary>
    [Theory]
    [InlineData("rescale", "--qk", "none tensor kv-head pair channel")]
    [InlineData("rescale", "--vo", "none tensor kv-head channel")]
    [InlineData("rescale", "--criterion", "l1 l1-mean l2 rms spectral")]
    [InlineData("rescale", "--round", "auto none pow2")]
    [InlineData("balance", "--granularity", "tensor rank gl")]
    [InlineData("balance", "--criterion", "l2 l1 l1-mean rms spectral")]
    [InlineData("balance", "--round", "none pow2")]
    [InlineData("eval", "--document", "auto whole separator line heading")]
    [InlineData("eval", "--detokenize", "auto wikitext none")]
    [InlineData("eval", "--dtype", "float32 float64 native")]
    [InlineData("express", "--for", "original rescaled")]
    [InlineData("flatness", "--orbit", "qk vo")]
    public async Task CommandLine_TakesTheNames(string verb, string option, string names)
    {
        string[] required = verb switch
        {
            "balance" => ["--out", "y"],
            "express" => ["--out", "y", "--base", "z"],
            "flatness" => ["--text", "y"],
            _ => [],
        };
        var run = await CommandRun.RunAsync([verb, "x", .. required, option, "nonsense"]);
        run.ExitCode.ShouldBe(2);
        run.Error.ShouldContain(string.Join(' ', names.Split(' ').Select(name => $"'{name}'")));
        var help = await CommandRun.RunAsync(verb, "--help");

        // That of eval --dtype names the default and the special one.
        foreach (string name in names.Split(' ').Where(name => name != "float64")) help.Output.ShouldContain(name);
    }

    /// <summary>A configuration takes every name, and prints it again.</summary>
    [Theory]
    [InlineData("wisca.criterion", typeof(Criterion), "wisca.init=false")]
    [InlineData("wisca.round", typeof(FactorRounding), null)]
    [InlineData("wisca.qk", typeof(Granularity), null)]
    [InlineData("wisca.state", typeof(StatePolicy), null)]
    [InlineData("schedule.name", typeof(ScheduleKind), null)]
    [InlineData("optimizer.name", typeof(OptimizerKind), null)]
    [InlineData("tokenizer.source", typeof(TokenizerSource), null)]
    [InlineData("checkpoints.dtype", typeof(WeightDtype), null)]
    [InlineData("precision", typeof(TrainingPrecision), null)]
    public void Yaml_TakesAndPrintsTheNames(string key, Type enumeration, string? with)
    {
        string last = key[(key.IndexOf('.') + 1)..];
        foreach (string name in Spelled[enumeration].Split(' '))
        {
            string[] settings = [$"{key}={name}", .. with is null ? [] : (string[])[with]];
            string yaml = TrainingConfig.Load(null, settings).ToYaml(commented: true);
            yaml.ShouldContain($"{last}: {name}\n");
            string.Join(' ', yaml.Split([' ', '\n', '#'], StringSplitOptions.RemoveEmptyEntries))
                .ShouldContain($"one of {Spelled[enumeration].Replace(" ", ", ")}");
        }
    }

    [Fact]
    public void Ledgers_AndArchitectureTables_HaveTheNames()
    {
        string tables = string.Concat(KnownArchitectures.All.Select(table => table.ToJson()));
        foreach (var pairs in Enum.GetValues<RopePairs>()) tables.ShouldContain($"\"pairs\": \"{pairs.Name()}\"");
        foreach (var orientation in Enum.GetValues<Orientation>()) tables.ShouldContain($"\"orientation\": \"{orientation.Name()}\"");
    }

    private static void Check<T>(string[] names)
        where T : struct, Enum
    {
        var values = Enum.GetValues<T>();
        EnumNames.Of(typeof(T)).Select(entry => entry.Name).ShouldBe(names);
        EnumNames.Of(typeof(T)).Select(entry => (T)entry.Value).ShouldBe(values, ignoreOrder: true);
        values.Select(value => value.Name()).ShouldBe(names, ignoreOrder: true);
        foreach (var value in values)
        {
            EnumNames.Parse<T>(value.Name()).ShouldBe(value);
            JsonSerializer.Serialize(value, Json).ShouldBe($"\"{value.Name()}\"");
            JsonSerializer.Deserialize<T>($"\"{value.Name()}\"", Json).ShouldBe(value);
        }
    }

}
