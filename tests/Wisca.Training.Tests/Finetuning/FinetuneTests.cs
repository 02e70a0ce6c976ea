using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Transitions;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;
using Wisca.Transitions;

namespace Wisca.Training.Tests.Finetuning;

[Collection(TorchCollection.Name)]
public sealed class FinetuneTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Run_Lora_LowersTheHeldOutLossAndKeepsNothingForTheBase()
    {
        var config = TinyFinetune.Config(_folder) with { Steps = 40, Checkpoints = new() { Every = 0 } };
        var recorder = new TrainingRecorder();
        using var trainer = Finetuner.Prepare(config, ResumeMode.Auto, recorder, CancellationToken.None);
        double[] before = Weights(trainer.Model);
        string checkpoint = trainer.Run().Checkpoint;
        recorder.Evaluations[^1].Loss.ShouldBeLessThan(0.8 * recorder.Evaluations[0].Loss);

        // No gradient of any frozen weight, no moment of any: two of each factor and the steps' count, and nothing by another name.
        trainer.Model.parameters().Count(parameter => parameter.grad is not null || parameter.requires_grad).ShouldBe(0);
        Weights(trainer.Model).ShouldBe(before);
        using var optimizer = SafetensorsFile.Open(Path.Combine(checkpoint, "training", "optimizer.safetensors"));
        using var adapter = SafetensorsFile.Open(Path.Combine(checkpoint, Adapter.WeightsName));
        adapter.Header.Tensors.Length.ShouldBe(2 * 2 * 7);
        optimizer.Header.Tensors.ShouldAllBe(info => info.Name.Contains(".lora_", StringComparison.Ordinal));
        optimizer.Header.Tensors.Sum(info => info.ElementCount).ShouldBe(2 * adapter.Header.Tensors.Sum(info => info.ElementCount));
        File.Exists(Path.Combine(checkpoint, Checkpoint.WeightsName)).ShouldBeFalse();
    }

    public static TheoryData<string> Settings =>
    [
        "dropout and average", "transitions and balance", "dora and transitions", "pissa and transitions", "whole model",
        "unpacked, modules to save", "rotations", "pissa, transitions, balance and rotations",
        "base rotations", "base rotations, transitions and whole modules", "base rotations, dora and ranks",
    ];

    [Theory]
    [MemberData(nameof(Settings))]
    public void Run_Resumed_EndsWithTheBytesOfARunThatDidNotStop(string settings)
    {
        var config = TinyFinetune.Config(_folder);
        var moving = new WiscaSection { Round = FactorRounding.None, Every = 2 };
        config = settings switch
        {
            "dropout and average" => config with
            {
                Ema = 0.8,
                Accumulation = 2,
                Adapter = config.Adapter with { Dropout = 0.3, LoraPlusRatio = 4 },
            },
            "transitions and balance" => config with { Wisca = moving, Adapter = config.Adapter with { Balance = new() { Every = 3 } } },
            "dora and transitions" => config with
            {
                Wisca = moving,
                Adapter = config.Adapter with
                {
                    Dora = true,
                    Dropout = 0.1,
                    Balance = new() { Every = 1, Granularity = FactorGranularity.Rank },
                },
            },
            "pissa and transitions" => config with { Wisca = moving, Adapter = config.Adapter with { Init = LoraInitialization.Pissa } },
            "rotations" => config with
            {
                Ema = 0.8,
                Wisca = new()
                {
                    QueryKey = null,
                    ValueOutput = null,
                    Rotate = new() { Adapters = RotationSource.Gradient, Start = 1, Every = 2, State = SecondMomentPolicy.Mix },
                },
                Adapter = config.Adapter with { Dora = true },
            },
            "pissa, transitions, balance and rotations" => config with
            {
                Wisca = moving with { Rotate = new() { Adapters = RotationSource.Momentum, Start = 1, Every = 2 } },
                Adapter = config.Adapter with { Init = LoraInitialization.Pissa, Balance = new() { Every = 3 } },
            },
            "base rotations" => config with
            {
                Ema = 0.8,
                Wisca = new()
                {
                    QueryKey = null,
                    ValueOutput = null,
                    Rotate = Rotating(RotationSource.Gradient) with { Values = ValueRotation.Same, State = SecondMomentPolicy.Mix },
                },
            },
            "base rotations, transitions and whole modules" => config with
            {
                Wisca = moving with { Norms = Granularity.Tensor, Rotate = Rotating(RotationSource.Momentum) },
                Adapter = config.Adapter with
                {
                    Targets = ["q_proj", "v_proj", "up_proj"],
                    ModulesToSave = ["o_proj"],
                    Balance = new() { Every = 3 },
                },
            },
            "base rotations, dora and ranks" => config with
            {
                Wisca = moving with { Rotate = Rotating(RotationSource.Random) with { Adapters = RotationSource.Gradient } },
                Adapter = config.Adapter with { Dora = true, Targets = ["q_proj", "v_proj", "up_proj"] },
            },
            "whole model" => config with { Wisca = moving, Adapter = new() { Type = AdapterKind.None } },
            _ => config with
            {
                Data = config.Data with { Packing = false },
                Wisca = moving,
                Adapter = config.Adapter with { Targets = ["q_proj", "v_proj"], ModulesToSave = ["o_proj"] },
                Save = new() { For = AdapterGauge.Rescaled },
            },
        };
        var whole = TinyFinetune.Train(config);
        var second = config with { Output = _folder["second"] };
        var resumed = TinyFinetune.Train(second, ResumeMode.From(RunFolder.CheckpointPath(config.Output, 2)));
        resumed.Losses.ShouldBe(whole.Losses.Skip(2));
        resumed.Notices.ShouldBe(whole.Notices);
        foreach (int step in (int[])[4, 6])
            TinyRun
                .Contents(RunFolder.CheckpointPath(second.Output, step))
                .ShouldBe(TinyRun.Contents(RunFolder.CheckpointPath(config.Output, step)), $"step {step}");
        whole.Transitions.Count.ShouldBe(config.Wisca.IsActive ? 4 : 0);
        whole.Rotations.Select(rotation => rotation.Step).ShouldBe(config.Wisca.Rotate.IsActive ? [1, 3, 5] : []);

        static RotationSection Rotating(RotationSource source) => new() { Stream = source, Start = 1, Every = 2 };
    }

    /// <summary>Base and adapter turn, the probe sees no change, and what is saved is for the base as it lies on disk.</summary>
    [Theory]
    [InlineData("llama", false, RotationSource.Gradient)]
    [InlineData("llama", true, RotationSource.Momentum)]
    [InlineData("mistral", false, RotationSource.Weights)]
    [InlineData("mistral", false, RotationSource.Hadamard)]
    [InlineData("gpt2", false, RotationSource.Random)]
    public void Run_RotatedBase_IsVerifiedAndSavesTheAdapterForTheUntouchedBase(string family, bool dora, RotationSource source)
    {
        TinyFinetune.WriteBase(_folder["base"], family);
        var config = TinyFinetune.Config(_folder);
        config = config with
        {
            Wisca = config.Wisca with
            {
                Verify = true,
                Rotate = new() { Stream = source, Values = dora ? null : ValueRotation.Same, Start = 2, Every = 2 },
            },
            Adapter = config.Adapter with { Dora = dora, Targets = dora ? ["q_proj", "gate_proj"] : config.Adapter.Targets },
        };
        new FinetuneCheck().Of(config).Steps.ShouldBe(6);
        var recorder = new TrainingRecorder();
        using var trainer = Finetuner.Prepare(config, ResumeMode.Auto, recorder, CancellationToken.None);
        string checkpoint = trainer.Run().Checkpoint;
        recorder.Rotations.Select(rotation => rotation.Step).ShouldBe([2, 4, 6]);
        recorder.Rotations.ShouldAllBe(rotation => rotation.Loss != null && rotation.Spaces.All(space => space.Skipped == null));
        recorder.Notices.ShouldNotContain(notice => notice.Contains("is not trained", StringComparison.Ordinal));
        double[] trained = LoraRun.Logits(trainer.Model);
        using var untouched = Checkpoint.Open(_folder["base"]);
        using var adapter = Adapter.Open(checkpoint);
        using var decoder = Decoder.Load(untouched);
        double[] plain = LoraRun.Logits(decoder);
        double[] weights = Weights(decoder);
        LoraRun.Largest(weights, Weights(trainer.Model)).ShouldBeGreaterThan(1e-2);
        using var lora = LoraModel.Load(decoder, adapter.Bind(untouched));
        LoraRun.ShouldBeNear(LoraRun.Logits(decoder), trained);
        LoraRun.Largest(plain, trained).ShouldBeGreaterThan(1e-2);
        Ledger.Load(checkpoint).ShouldNotBeNull().Moves.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false, LoraInitialization.Default)]
    [InlineData(true, LoraInitialization.Default)]
    [InlineData(false, LoraInitialization.Pissa)]
    public void Run_WithTransitions_SavesTheAdapterForTheUntouchedBase(bool dora, LoraInitialization init)
    {
        var config = TinyFinetune.Config(_folder);
        config = config with
        {
            Wisca = new() { Round = FactorRounding.None, Every = 2 },
            Adapter = config.Adapter with { Dora = dora, Init = init },
        };
        using var trainer = Finetuner.Prepare(config, ResumeMode.Auto, new TrainingRecorder(), CancellationToken.None);
        string checkpoint = trainer.Run().Checkpoint;
        double[] trained = LoraRun.Logits(trainer.Model);
        using var untouched = Checkpoint.Open(_folder["base"]);
        using var adapter = Adapter.Open(checkpoint);
        using var decoder = Decoder.Load(untouched);
        double[] plain = LoraRun.Logits(decoder);
        using var lora = LoraModel.Load(decoder, adapter.Bind(untouched));
        LoraRun.ShouldBeNear(LoraRun.Logits(decoder), trained);
        LoraRun.Largest(plain, trained).ShouldBeGreaterThan(1e-2);
    }

    /// <summary>The rotated adapter is for the base as it is, and the probe saw no change of the loss.</summary>
    [Theory]
    [InlineData(false, RotationSource.Momentum)]
    [InlineData(true, RotationSource.Random)]
    [InlineData(false, RotationSource.Hadamard)]
    public void Run_RotatedFactors_AreLoggedVerifiedAndSavedAsAnyAdapter(bool dora, RotationSource source)
    {
        var config = TinyFinetune.Config(_folder);
        config = config with
        {
            Wisca = config.Wisca with { Verify = true, Rotate = new() { Adapters = source, Start = 2, Every = 2 } },
            Adapter = config.Adapter with { Dora = dora },
        };
        var recorder = new TrainingRecorder();
        using var trainer = Finetuner.Prepare(config, ResumeMode.Auto, recorder, CancellationToken.None);
        string checkpoint = trainer.Run().Checkpoint;
        double[] trained = LoraRun.Logits(trainer.Model);
        using var untouched = Checkpoint.Open(_folder["base"]);
        using var adapter = Adapter.Open(checkpoint);
        using var decoder = Decoder.Load(untouched);
        using var lora = LoraModel.Load(decoder, adapter.Bind(untouched));
        LoraRun.ShouldBeNear(LoraRun.Logits(decoder), trained);
        Ledger.Load(checkpoint).ShouldNotBeNull().Moves.ShouldBeEmpty();

        recorder.Rotations.Select(rotation => rotation.Step).ShouldBe([2, 4, 6]);
        var logged = File.ReadAllLines(Path.Combine(config.Output, "metrics.jsonl"))
            .Select(line => JsonNode.Parse(line)!)
            .Where(line => line["rotation/lora/angle"] is not null)
            .ToList();
        logged.Count.ShouldBe(3);
        foreach (var (line, rotation) in logged.Zip(recorder.Rotations))
        {
            rotation.Spaces.Length.ShouldBe(14);
            rotation.Spaces.ShouldAllBe(space => space.Skipped == null && space.Angle > 0);
            var (before, after) = rotation.Loss.ShouldNotBeNull();
            Math.Abs(after - before).ShouldBeLessThan(3e-6 * before);
            var (angle, diagonal) = rotation.Mean(RotationKind.LoraFactors)!.Value;
            ((double)line["rotation/lora/angle"]!).ShouldBe(angle);
            (diagonal is null).ShouldBe(source != RotationSource.Momentum);
            if (diagonal is null) continue;
            ((double)line["rotation/lora/diagonal_before"]!).ShouldBe(diagonal.Value.Before);
            ((double)line["rotation/lora/diagonal_after"]!).ShouldBe(diagonal.Value.After);
            diagonal.Value.After.ShouldBeGreaterThan(diagonal.Value.Before);
        }
    }

    [Fact]
    public void Run_Init_IsTheSameAsABaseThatWasRescaledBefore()
    {
        // The transition before the first step comes before the adapter:
        // with powers of two the run is, bit for bit, the one on a rescaled base.
        var config = TinyFinetune.Config(_folder) with { Wisca = new() { Round = FactorRounding.PowerOfTwo, Every = 0 } };
        var inside = TinyFinetune.Train(config);
        using (var checkpoint = Checkpoint.Open(_folder["base"]))
            Rescaler.Rescale(checkpoint, _folder["rescaled"], new RescaleOptions { Balance = config.Wisca.Options.Transitions.Balance });
        foreach (string file in Directory.GetFiles(_folder["base"], "token*"))
            File.Copy(file, Path.Combine(_folder["rescaled"], Path.GetFileName(file)), overwrite: true);
        var before = TinyFinetune.Train(
            config with
            {
                Output = _folder["second"],
                Base = new() { Model = _folder["rescaled"] },
                Wisca = new() { QueryKey = null, ValueOutput = null },
            });
        before.Losses.ShouldBe(inside.Losses);
    }

    [Fact]
    public void Run_LoraPlus_IsAMultiplierOfB()
    {
        var config = TinyFinetune.Config(_folder);
        var plus = TinyFinetune.Train(config with { Adapter = config.Adapter with { LoraPlusRatio = 8 } });
        var byHand = TinyFinetune.Train(
            config with
            {
                Output = _folder["second"],
                Optimizer = config.Optimizer with { Multipliers = [new() { Parameters = "*.lora_B.weight", LearningRate = 8 }] },
            });
        plus.Losses.ShouldBe(byHand.Losses);
        TinyFinetune.Train(config with { Output = _folder["third"] }).Losses.ShouldNotBe(byHand.Losses);
    }

    [Fact]
    public void Run_Epochs_MakesTheStepsOfThem()
    {
        var config = TinyFinetune.Config(_folder) with
        {
            Steps = null,
            Epochs = 2,
            BatchSize = 16,
            Data = new()
            {
                Train = [_folder["data.jsonl"]],
                HeldOut = 0.2,
                SequenceLength = 64,
                Packing = false,
            },
        };
        var recorder = TinyFinetune.Train(config);
        int examples = int.Parse(recorder.Notices[0].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        recorder.Steps.Count.ShouldBe((int)Math.Ceiling(2 * examples / 16.0));
    }

    [Fact]
    public void Prepare_DataThatSaysMore_TellsWhatIsNotUsedAndTrainsOnTheRest()
    {
        const string question = """{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad", "weight": 0}""";
        var config = TinyFinetune.Config(_folder) with
        {
            Steps = 1,
            Data = new() { Train = [_folder["chats.jsonl"]], HeldOut = 0.3, SequenceLength = 900 },
        };
        string described = File.ReadAllText(_folder["base", "config.json"]);
        File.WriteAllText(
            _folder["base", "config.json"],
            System.Text.RegularExpressions.Regex.Replace(
                described, "\"max_position_embeddings\": ?[0-9]+", "\"max_position_embeddings\": 2048"));
        File.WriteAllLines(
            _folder["chats.jsonl"],
            Enumerable.Range(0, 12).Select(i =>
                $$"""{"id": {{i}}, "messages": [{{question}}, {"role": "user", "content": "r{{i}}"}, """
                + $$"""{"role": "assistant", "content": "good"}], "images": ["x"], "tools": [{"name": "f{{i}}"}]}"""));
        File.AppendAllText(_folder["chats.jsonl"], $$"""{"messages": [{{question}}]}""");
        var notices = TinyFinetune.Train(config).Notices;
        notices.ShouldContain("images: in 12 of 13 examples, not used");
        notices.ShouldContain("not used either: id");
        notices.ShouldContain(notice => notice.StartsWith("1 examples are left out: their data says", StringComparison.Ordinal));
        notices.ShouldNotContain(notice => notice.StartsWith("tools", StringComparison.Ordinal));

        // "good", the marker and EOS, of bytes: what has no weight is not among them.
        string trained = notices.Single(notice => notice.Contains(" to train on, ", StringComparison.Ordinal));
        string[] words = trained.Split(' ');
        int.Parse(words[5], System.Globalization.CultureInfo.InvariantCulture)
            .ShouldBe(int.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture) * ("good<|im_end|>".Length + 1));
        TinyFinetune
            .Train(config with { Output = _folder["other"], Data = config.Data with { Template = "gemma" } })
            .Notices.ShouldContain("tools: in 12 of 13 examples, not used");
    }

    [Theory]
    [InlineData("base.model=none", "base.model names no model")]
    [InlineData("base.model=nowhere", "nowhere does not exist")]
    [InlineData("data.train=[none.jsonl]", "none.jsonl does not exist")]
    [InlineData("adapter.targets=[query]", "target_modules names 'query', which no linear module of the model is called")]
    [InlineData("adapter.target_pattern=x.*", "target_modules fits no linear module")]
    [InlineData("data.template=jinja", "'jinja', expected one of plain")]
    [InlineData("data.sequence_length=9", "none of the")]
    [InlineData("data.sequence_length=65", "the model has 64 positions")]
    [InlineData("schedule.warmup=7", "the run has 6")]
    [InlineData("data.completion_key=answer", "data.jsonl:1: no 'answer'")]
    [InlineData("wisca={criterion: fisher}", "which a frozen base has none of")]
    public void Prepare_WhatIsWrong_SaysSo(string setting, string message)
    {
        File.WriteAllText(_folder["run.yaml"], TinyFinetune.Config(_folder).ToYaml(commented: true));
        var exception = Should.Throw<WiscaException>(() =>
        {
            using var trainer = Finetuner.Prepare(
                FinetuneConfig.Load(_folder["run.yaml"], [setting]), ResumeMode.Auto, new TrainingRecorder(), CancellationToken.None);
        });
        exception.Message.ShouldContain(message);
        exception.Message.ShouldNotContain("\n");
    }

    [Fact]
    public void Prepare_ResumedWithOtherTransitions_SaysSo()
    {
        var config = TinyFinetune.Config(_folder) with { Wisca = new() { Every = 0 } };
        TinyFinetune.Train(config);
        Should
            .Throw<WiscaException>(() =>
                TinyFinetune.Train(
                    config with
                    {
                        Wisca = new() { QueryKey = null, ValueOutput = null },
                    }))
            .Message.ShouldContain("transitions of other settings");
    }

    [Theory]
    [InlineData("weights")]
    [InlineData("configuration")]
    public void Prepare_ResumedOnAnotherBase_SaysSoAndTheSameElsewhereGoesOn(string changed)
    {
        var config = TinyFinetune.Config(_folder);
        var whole = TinyFinetune.Train(config);
        string checkpoint = RunFolder.CheckpointPath(config.Output, 4);

        // It is the content that counts, and not where it lies.
        Directory.CreateDirectory(_folder["moved"]);
        foreach (string file in Directory.GetFiles(_folder["base"]))
            File.Copy(file, Path.Combine(_folder["moved"], Path.GetFileName(file)));
        var moved = config with { Output = _folder["second"], Base = new() { Model = _folder["moved"] } };
        TinyFinetune.Train(moved, ResumeMode.From(checkpoint)).Losses.ShouldBe(whole.Losses.Skip(4));

        if (changed == "weights")
        {
            using var weights = File.OpenWrite(Path.Combine(_folder["moved"], Checkpoint.WeightsName));
            weights.Seek(-3, SeekOrigin.End);
            weights.WriteByte(0x11);
        }
        else
        {
            string file = Path.Combine(_folder["moved"], "config.json"), text = File.ReadAllText(file);
            File.WriteAllText(file, text.Replace("\"rms_norm_eps\":", "\"some_key\": 1, \"rms_norm_eps\":", StringComparison.Ordinal));
            File.ReadAllText(file).ShouldNotBe(text);
        }

        var exception = Should.Throw<WiscaException>(() =>
            TinyFinetune.Train(moved with { Output = _folder["third"] }, ResumeMode.From(checkpoint)));
        exception.Message.ShouldContain("moved is not the model that");
        exception.Message.ShouldNotContain("\n");
        exception.Hint.ShouldNotBeNull().ShouldContain("--resume never");
        TinyFinetune.Train(moved with { Output = _folder["third"] }, ResumeMode.Never).Losses.Count.ShouldBe(6);
    }

    [Fact]
    public void Run_TestShare_PartsWhatIsHeldOut()
    {
        var config = TinyFinetune.Config(_folder) with { Steps = 1 };
        config = config with { Data = config.Data with { HeldOut = 0.4 } };
        var whole = TinyFinetune.Train(config).Evaluations[0];
        var parted = TinyFinetune
            .Train(config with { Output = _folder["second"], Data = config.Data with { TestShare = 0.5 } })
            .Evaluations[0];
        whole.TestLoss.ShouldBeNull();
        parted.Tokens.ShouldBeInRange(1, whole.Tokens - 1);

        // The halves make up the whole: the mean over all tokens is the mean of theirs.
        double test = parted.TestLoss.ShouldNotBeNull();
        test.ShouldNotBe(parted.Loss);
        ((parted.Loss * parted.Tokens) + (test * (whole.Tokens - parted.Tokens))).ShouldBe(
            whole.Loss * whole.Tokens, 2 * Rounding.Of(Rounding.Float32, 1000) * whole.Loss * whole.Tokens);
    }

    [Fact]
    public void Check_Lora_CountsWhatTrainsAndWhatIsFrozen()
    {
        var config = TinyFinetune.Config(_folder) with { Steps = null, Epochs = 3, Accumulation = 2 };
        var check = new FinetuneCheck().Of(config);
        using var checkpoint = Checkpoint.Open(_folder["base"]);
        var recorder = new TrainingRecorder();
        using var trainer = Finetuner.Prepare(config, ResumeMode.Never, recorder, CancellationToken.None);
        var result = trainer.Run();
        check.Steps.ShouldBe((int)result.Step);
        check.TokensPerStep.ShouldBe((double)result.TokensSeen / result.Step, 0.1 * check.TokensPerStep);
        recorder.Notices.ShouldContain(notice => notice.Contains($": {check.Parameters} of {check.ActiveParameters} elements train"));
        check.FlopsPerToken.ShouldBe((6.0 * check.Parameters) + (4.0 * (check.ActiveParameters - check.Parameters)));
        var all = new FinetuneCheck().Of(config with { Adapter = new() { Type = AdapterKind.None } });
        all.Parameters.ShouldBe(check.ActiveParameters - check.Parameters);
        all.FlopsPerToken.ShouldBe(6.0 * all.Parameters);
    }

    [Theory]
    [InlineData("base.model=none", "base.model names no model")]
    [InlineData("data.train=[none.jsonl]", "none.jsonl does not exist")]
    [InlineData("adapter.targets=[query]", "which no linear module of the model is called")]
    [InlineData("adapter={r: 999, init: pissa}", "rank 999 of")]
    [InlineData("optimizer.multipliers=[{parameters: '*.nothing'}]", "*.nothing")]
    [InlineData("wisca={layers: '7', qk: tensor}", "layer")]
    [InlineData("data.sequence_length=65", "the model has 64 positions")]
    [InlineData("wisca={at: [7], qk: tensor}", "wisca.at names step 7, but the run has 6")]
    public void Check_WhatWouldNotBegin_SaysSo(string setting, string message)
    {
        File.WriteAllText(_folder["run.yaml"], TinyFinetune.Config(_folder).ToYaml(commented: true));
        Should
            .Throw<WiscaException>(() => new FinetuneCheck().Of(FinetuneConfig.Load(_folder["run.yaml"], [setting])))
            .Message.ShouldContain(message);
    }

    private static double[] Weights(Decoder model) => [.. model.parameters().SelectMany(parameter => LoraRun.Values(parameter))];
}
