using Wisca.Settings;

namespace Wisca.Comparison.Studies;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Everything that a study is made from.</summary>
public sealed record StudyConfig : ISettingsSection
{
    [Setting(
        "The study's folder: results of runs, the summary and, while it runs, checkpoints. Paths are relative to the folder that the "
        + "command is started in.")]
    public string Output { get; init; } = "runs/compare";

    [Setting(
        "What a run is: train for wisca train, finetune for wisca finetune. base, training, models, grids and arms hold the settings of "
        + "that command.")]
    public RunCommand Runs { get; init; } = RunCommand.Train;

    [Setting("A configuration that every run starts from: a YAML file, relative to this one. none for the defaults of the command.")]
    public string? Base { get; init; }

    [Setting("Settings of every run, laid over base: what a configuration of the command may hold.")]
    public SettingsTree Training { get; init; } = SettingsTree.Empty;

    [Setting(
        "Models: for each name the settings that make it, laid over training. Without any there is one, called model.",
        Expected = "a mapping of names")]
    public SettingsTree Models { get; init; } = SettingsTree.Empty;

    [Setting(
        "Arms, what is compared: for each name the settings that make it, laid over everything else.",
        Expected = "a mapping of names")]
    public SettingsTree Arms { get; init; } = SettingsTree.Empty;

    [Setting("The arm that the others are compared with.")]
    public string Baseline { get; init; } = "origin";

    [Setting(
        "Seeds: each decides initial weights (of a model, or of an adapter) and the order of the data, for all arms alike.",
        Minimum = 0)]
    public IReadOnlyList<long> Seeds { get; init; } = [1, 2, 3];

    [Setting(
        "Learning rates after warm-up; empty for the one in training. "
        + "Each arm's best is chosen on the validation text and reported on the test text.",
        Minimum = 0, Above = true)]
    public IReadOnlyList<double> LearningRates { get; init; } = [];

    [Setting("Parts of the study, run in this order; empty for all models, arms, seeds and learning rates in all combinations.")]
    public IReadOnlyList<GridSection> Grids { get; init; } = [];

    [Setting("Number of runs at a time, each a process; 0 for as many as there are cores for.", Minimum = 0, Maximum = 1024)]
    public int Workers { get; init; }

    [Setting("Number of threads of a run.", Minimum = 1, Maximum = 4096)]
    public int Threads { get; init; } = 1;

    [Setting(
        "Whether the trained model of a finished run stays, as runs/ID/model, or its adapter, as runs/ID/adapter. Checkpoints go in any "
        + "case.")]
    public bool KeepModels { get; init; }

    [Setting("What the trained models are evaluated on.")]
    public ScoreSection Scores { get; init; } = new();

    [Setting("Confidence of intervals.", Minimum = 0.5, Maximum = 1, Below = true)]
    public double Confidence { get; init; } = 0.95;

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (!KeepModels && (Scores.Tasks.Count > 0 || Scores.Texts.Count > 0))
            given.Contradict(["keep_models", "scores"], "false, expected true: scores are of the trained models");
        return this;
    }
}
