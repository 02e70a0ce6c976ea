using Wisca.Comparison.Results;
using Wisca.Files;
using Wisca.Tests;
using Wisca.Tests.PowerCut;
using Wisca.Tests.Studies;
using Wisca.Training.Checkpointing;

namespace Wisca.Cli.Tests.Training;

/// <summary>
/// Every command that writes, on a disk that loses what was not flushed, cut off before each of its steps: at each place there is what was
/// there before, or all of the new, and when the command has ended, the new.
/// </summary>
[Collection(nameof(TorchCollection))]
public sealed class PowerCutTests(ITestOutputHelper log) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rescale_CutOffAnywhere_LeavesTheOldOrTheNew(bool replaces)
    {
        var llama = new SmallLlama { Shards = 2 };
        llama.Write(_folder["model"]);
        if (replaces) await Run("rescale", _folder["model"], "--out", _folder["out"], "--criterion", "l2");
        await Survives(["out"], ["rescale", _folder["model"], "--out", _folder["out"], "--force"]);
    }

    [Fact]
    public async Task RescaleWithAdapter_CutOffAnywhere_LeavesTheOldOrTheNew()
    {
        WriteAdapter();
        await Survives(
            ["out", "moved"],
            ["rescale", _folder["model"], "--out", _folder["out"], "--adapter", _folder["adapter"], "--adapter-out", _folder["moved"]]);
    }

    [Theory]
    [InlineData("undo")]
    [InlineData("merge")]
    [InlineData("balance")]
    [InlineData("express")]
    [InlineData("rotate")]
    [InlineData("undo of a rotation")]
    [InlineData("rescale of a rotated model")]
    public async Task CommandOnModels_CutOffAnywhere_LeavesTheOldOrTheNew(string command)
    {
        WriteAdapter();
        string[] arguments = command switch
        {
            "undo" => ["undo", _folder["moved"]],
            "merge" => ["merge", _folder["model"], _folder["adapter"], "--tokens", "0"],
            "balance" => ["balance", _folder["adapter"]],
            "rotate" => ["rotate", _folder["model"], "--stream", "none", "--heads", "random"],
            "undo of a rotation" => ["undo", _folder["rotated"]],
            "rescale of a rotated model" => ["rescale", _folder["rotated"]],
            _ => ["express", _folder["adapter"], "--base", _folder["moved"], "--for", "rescaled"],
        };
        await Run("rescale", _folder["model"], "--out", _folder["moved"]);
        await Run("rotate", _folder["model"], "--out", _folder["rotated"], "--stream", "none", "--heads", "random", "--seed", "1");
        await Run("rescale", _folder["model"], "--out", _folder["out"]); // what is there before, and is replaced
        await Survives(["out"], [.. arguments, "--out", _folder["out"], "--force"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tokenize_CutOffAnywhere_LeavesTheOldOrTheNew(bool replaces)
    {
        string model = TestData.Require("models", "TinyStories-656K");
        File.WriteAllText(_folder["a.txt"], "One day.<|endoftext|>Two days.<|endoftext|>Three.<|endoftext|>Four.");
        if (replaces)
        {
            File.WriteAllText(_folder["b.txt"], "Another.");
            await Run("tokenize", _folder["b.txt"], "--tokenizer", model, "--out", _folder["out.tokens"]);
        }

        await Survives(["out.tokens"], ["tokenize", _folder["a.txt"], "--tokenizer", model, "--out", _folder["out.tokens"], "--force"]);
    }

    /// <summary>Of two files that belong together, neither is ever beside an old one: what was held out would be trained on.</summary>
    [Fact]
    public async Task TokenizePair_CutOffAnywhere_NeverMixesOldAndNew()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        string[] command =
        [
            "tokenize", _folder["a.txt"], "--tokenizer", model, "--out", _folder["out.tokens"], "--force", "--held-out", "0.5",
        ];
        File.WriteAllText(_folder["a.txt"], string.Join("\n<|endoftext|>\n", Enumerable.Range(0, 40).Select(day => $"Day {day}.")));
        await Run([.. command, "--seed", "1"]);
        string[] places = ["out.held-out.tokens", "out.tokens"];
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        string? old = null;
        var disk = new PowerCutDisk(_folder.FullPath, (step, remains) =>
        {
            string both = string.Join('|', places.Select(place => remains.At(place)));
            old ??= both;
            seen.TryAdd(both, step);
        });
        await On(disk, [.. command, "--seed", "2"]);
        string[] before = old!.Split('|'), after = [.. places.Select(place => disk.End().At(place)!)];
        before.Zip(after).ShouldAllBe(pair => pair.First != pair.Second);
        foreach (var (both, step) in seen)
        {
            string[] there = both.Split('|');
            for (int i = 0; i < places.Length; i++) new[] { "", before[i], after[i] }.ShouldContain(there[i], $"{places[i]} before {step}");
            (IsAny(before) && IsAny(after)).ShouldBeFalse($"cut off before {step}, an old file lies beside a new one");

            // The training file alone would look like a corpus of which nothing was held out.
            (there[1].Length > 0 && there[0].Length == 0).ShouldBeFalse($"cut off before {step}, the training file is alone");

            bool IsAny(string[] versions) => there.Zip(versions).Any(pair => pair.First == pair.Second);
        }
    }

    [Fact]
    public async Task Report_CutOffAnywhere_LeavesTheOldOrTheNew()
    {
        var study = MadeStudy.Small();
        using (var folder = new StudyFolder(_folder["study"]))
        {
            StudyFolder.Write(folder.ReportPath, study.Report);
            foreach (var result in study.Results.Values) folder.WriteResult(result);
        }

        await Run("report", _folder["study"], "--out", _folder["study", "names.md"]);
        string[] plots = [.. Directory.GetFiles(_folder["study", "plots"]).Select(path => $"study/plots/{Path.GetFileName(path)}")];
        plots.Length.ShouldBeGreaterThan(1);
        Directory.Delete(_folder["study", "plots"], recursive: true);
        await Survives(["study/report.html", "study/report.md", .. plots], ["report", _folder["study"]]);
    }

    [Fact]
    public async Task Compare_CutOffAnywhere_HasResultsWholeOrNotAtAll()
    {
        // Workers are processes of their own; a folder that takes over their results writes what they write.
        string study = TinyStudy.Write(_folder, 4, "  keep: { wisca: { every: 2, state: keep } }", "seeds: [1]");
        WiscaProcess.Run("compare", "--config", study);
        string[] runs = [.. Directory.GetDirectories(_folder["out", "runs"]).Select(run => Path.GetFileName(run))];
        string[] results = [.. runs.Select(run => $"merged/runs/{run}/result.json")];
        results.Length.ShouldBe(2);
        await Survives(
            ["merged/study.json", "merged/report.html", "merged/report.md", .. results],
            ["compare", "--config", study, "--merge", _folder["out"], "--set", $"output={_folder["merged"]}"]);
    }

    [Fact]
    public async Task Evaluation_CutOffAnywhere_LeavesTheOldOrTheNew()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        File.WriteAllText(_folder["a.txt"], "Once upon a time there was a boat.\n\nThe end.");
        File.WriteAllText(_folder["out.json"], "{}");
        await Survives(["out.json"], ["eval", model, "--text", _folder["a.txt"], "--out", _folder["out.json"], "--force"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Train_CutOffAnywhere_GoesOnFromAWholeCheckpoint(bool finetune)
    {
        string[] command;
        if (finetune)
        {
            TinyStudy.Inputs(_folder);
            File.WriteAllText(
                _folder["run.yaml"],
                $$"""
                output: '{{_folder["run"]}}'
                threads: 1
                batch_size: 2
                steps: 4
                base: {model: '{{_folder["base"]}}'}
                data: {train: ['{{_folder["data.json"]}}'], held_out: 0.2, sequence_length: 64}
                adapter: {r: 2}
                evaluation: {every: 2}
                checkpoints: {every: 1, keep: 2, best: true}
                logging: {every: 1, tensorboard: false}
                """);
            command = ["finetune", "--config", _folder["run.yaml"]];
        }
        else
        {
            command = ["train", "--config", TinyRun.Write(_folder, 4, further: "checkpoints: {every: 1, keep: 2, best: true}")];
        }

        var lives = new HashSet<string>(StringComparer.Ordinal);
        var seen = new List<(string Step, Remains Remains)>();
        var disk = new PowerCutDisk(_folder.FullPath, (step, remains) =>
        {
            foreach (string checkpoint in Checkpoints(remains))
            {
                if (remains.IsAlive) lives.Add(remains.At(checkpoint)!);
            }

            seen.Add((step, remains));
        });
        await On(disk, command);
        lives.Count.ShouldBe(4, "each of the four checkpoints is there or not, and never a part of one");
        int without = 0;
        foreach (var (step, remains) in seen)
        {
            string[] checkpoints = [.. Checkpoints(remains)];
            foreach (string checkpoint in checkpoints) lives.ShouldContain(remains.At(checkpoint)!, $"before {step}: {checkpoint}");
            if (checkpoints.Length == 0)
            {
                without++;
                continue;
            }

            // A run that goes on from a checkpoint needs its configuration, and does not write the metrics that led to it again.
            remains.At("run/config.yaml").ShouldNotBeNull(step).ShouldNotBe("lost", step);
            remains.At("run/metrics.jsonl").ShouldNotBeNull(step).ShouldNotBe("lost", step);
        }

        log.WriteLine($"{disk.Steps} steps, {seen.Count} states, {without} of them before the first checkpoint");
        var end = disk.End();
        foreach (string kept in Directory.GetDirectories(_folder["run", "checkpoints"]))
            Checkpoints(end).ShouldContain($"run/checkpoints/{Path.GetFileName(kept)}");
        RunFolder.FindLatest(_folder["run"]).ShouldEndWith("step-000004");

        static IEnumerable<string> Checkpoints(Remains remains) =>
            remains.Files.Keys.Where(path => path.StartsWith("run/checkpoints/step-", StringComparison.Ordinal)
                && path.EndsWith('/') && path.Count(letter => letter == '/') == 3).Select(path => path.TrimEnd('/'));
    }

    private void WriteAdapter()
    {
        var llama = new SmallLlama();
        llama.Write(_folder["model"]);
        SmallAdapter.Of(llama).Write(_folder["adapter"]);
    }

    private async Task Survives(string[] places, string[] arguments)
    {
        var seen = places.ToDictionary(place => place, _ => new Dictionary<string, string>(StringComparer.Ordinal));
        Remains? before = null;
        var disk = new PowerCutDisk(_folder.FullPath, (step, remains) =>
        {
            before ??= remains;
            foreach (string place in places) seen[place].TryAdd(remains.At(place) ?? "", step);
        });
        await On(disk, arguments);
        var after = disk.End();
        log.WriteLine($"{disk.Steps} steps");
        var now = new PowerCutDisk(_folder.FullPath, (_, _) => { }).End();
        foreach (string place in places)
        {
            string old = before!.At(place) ?? "", fresh = now.At(place).ShouldNotBeNull(place);
            after.At(place).ShouldBe(fresh, $"{place}: the command has ended, and not all of it has reached the disk");
            fresh.ShouldNotBe(old, "what is there anew cannot be told from what was");
            foreach (var (remains, step) in seen[place])
                (remains == old || remains == fresh).ShouldBeTrue($"{place}, cut off before {step}, is neither old nor new:\n{remains}");
        }
    }

    private static async Task On(PowerCutDisk disk, string[] arguments)
    {
        Disk.Default = disk;
        await Run(arguments);
    }

    private static async Task Run(params string[] arguments)
    {
        var run = await CommandRun.RunAsync(arguments);
        run.ExitCode.ShouldBe(0, run.Error + run.Output);
    }
}
