using Wisca.Settings;

namespace Wisca.Comparison.Studies;

/// <summary>Everything that a study is made from.</summary>
public sealed record StudyConfig : ISettingsSection
{
    /// <summary>
    /// The study's folder: results of runs, the summary and, while it runs, checkpoints. Paths are relative to the folder that the command
    /// is started in.
    /// </summary>
    [Setting(
        "The study's folder: results of runs, the summary and, while it runs, checkpoints. Paths are relative to the folder that the "
        + "command is started in.")]
    public string Output { get; init; } = "runs/compare";

    /// <summary>
    /// What a run is: train for wisca train, finetune for wisca finetune. base, training, models, grids and arms hold the settings of that
    /// command.
    /// </summary>
    [Setting(
        "What a run is: train for wisca train, finetune for wisca finetune. base, training, models, grids and arms hold the settings of "
        + "that command.")]
    public RunCommand Runs { get; init; } = RunCommand.Train;

    /// <summary>
    /// A configuration that every run starts from: a YAML file, relative to this one. none for the defaults of the command.
    /// </summary>
    [Setting("A configuration that every run starts from: a YAML file, relative to this one. none for the defaults of the command.")]
    public string? Base { get; init; }

    /// <summary>Settings of every run, laid over base: what a configuration of the command may hold.</summary>
    [Setting("Settings of every run, laid over base: what a configuration of the command may hold.")]
    public SettingsTree Training { get; init; } = SettingsTree.Empty;

    /// <summary>Models: for each name the settings that make it, laid over training. Without any there is one, called model.</summary>
    [Setting(
        "Models: for each name the settings that make it, laid over training. Without any there is one, called model.",
        Expected = "a mapping of names")]
    public SettingsTree Models { get; init; } = SettingsTree.Empty;

    /// <summary>Arms, what is compared: for each name the settings that make it, laid over everything else.</summary>
    [Setting(
        "Arms, what is compared: for each name the settings that make it, laid over everything else.",
        Expected = "a mapping of names")]
    public SettingsTree Arms { get; init; } = SettingsTree.Empty;

    /// <summary>The arm that the others are compared with.</summary>
    [Setting("The arm that the others are compared with.")]
    public string Baseline { get; init; } = "origin";

    /// <summary>Seeds: each decides initial weights (of a model, or of an adapter) and the order of the data, for all arms alike.</summary>
    [Setting(
        "Seeds: each decides initial weights (of a model, or of an adapter) and the order of the data, for all arms alike.",
        Minimum = 0)]
    public IReadOnlyList<long> Seeds { get; init; } = [1, 2, 3];

    /// <summary>
    /// Learning rates after warm-up; empty for the one in training. Each arm's best is chosen on the validation text and reported on the
    /// test text.
    /// </summary>
    [Setting(
        "Learning rates after warm-up; empty for the one in training. "
        + "Each arm's best is chosen on the validation text and reported on the test text.",
        Minimum = 0, Above = true)]
    public IReadOnlyList<double> LearningRates { get; init; } = [];

    /// <summary>Parts of the study, run in this order; empty for all models, arms, seeds and learning rates in all combinations.</summary>
    [Setting("Parts of the study, run in this order; empty for all models, arms, seeds and learning rates in all combinations.")]
    public IReadOnlyList<GridSection> Grids { get; init; } = [];

    /// <summary>Number of runs at a time, each a process; 0 for as many as there are cores for.</summary>
    [Setting("Number of runs at a time, each a process; 0 for as many as there are cores for.", Minimum = 0, Maximum = 1024)]
    public int Workers { get; init; }

    /// <summary>Number of threads of a run.</summary>
    [Setting("Number of threads of a run.", Minimum = 1, Maximum = 4096)]
    public int Threads { get; init; } = 1;

    /// <summary>
    /// Whether the trained model of a finished run stays, as runs/ID/model, or its adapter, as runs/ID/adapter. Checkpoints go in any case.
    /// </summary>
    [Setting(
        "Whether the trained model of a finished run stays, as runs/ID/model, or its adapter, as runs/ID/adapter. Checkpoints go in any "
        + "case.")]
    public bool KeepModels { get; init; }

    /// <summary>What the trained models are evaluated on.</summary>
    [Setting("What the trained models are evaluated on.")]
    public ScoreSection Scores { get; init; } = new();

    /// <summary>Confidence of intervals.</summary>
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
