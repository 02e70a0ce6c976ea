using Wisca.Adapters;
using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>What a fine-tuning trains.</summary>
public sealed record AdapterSection : ISettingsSection
{
    /// <summary>lora for an adapter on a frozen base; none to train the whole model.</summary>
    [Setting("lora for an adapter on a frozen base; none to train the whole model.")]
    public AdapterKind Type { get; init; } = AdapterKind.Lora;

    /// <summary>Rank of the factors.</summary>
    [Setting("Rank of the factors.", Minimum = 1)]
    public int R { get; init; } = 8;

    /// <summary>The product of the factors is multiplied by alpha / r.</summary>
    [Setting("The product of the factors is multiplied by alpha / r.", Minimum = 0, Above = true)]
    public double Alpha { get; init; } = 16;

    /// <summary>Share of the inputs of A that a step of training drops.</summary>
    [Setting("Share of the inputs of A that a step of training drops.", Minimum = 0, Maximum = 1, Below = true)]
    public double Dropout { get; init; }

    /// <summary>
    /// Names of the projections to adapt, such as q_proj and v_proj, or layers.0.mlp.up_proj; all-linear for every one but the output
    /// projection.
    /// </summary>
    [Setting(
        "Names of the projections to adapt, such as q_proj and v_proj, or layers.0.mlp.up_proj; all-linear for every one but the output "
        + "projection.")]
    public IReadOnlyList<string> Targets { get; init; } = [TargetModules.AllLinearName];

    /// <summary>Regular expression that whole paths must match, instead of names.</summary>
    [Setting("Regular expression that whole paths must match, instead of names.")]
    public string? TargetPattern { get; init; }

    /// <summary>Layers to which names are confined, counted from 0; empty for all.</summary>
    [Setting("Layers to which names are confined, counted from 0; empty for all.", Minimum = 0)]
    public IReadOnlyList<int> Layers { get; init; } = [];

    /// <summary>Other ranks and alphas for some modules.</summary>
    [Setting("Other ranks and alphas for some modules.")]
    public IReadOnlyList<AdapterOverride> Overrides { get; init; } = [];

    /// <summary>Names of modules that are trained whole and stored with the adapter, such as lm_head.</summary>
    [Setting("Names of modules that are trained whole and stored with the adapter, such as lm_head.")]
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>alpha / sqrt(r) instead of alpha / r.</summary>
    [Setting("alpha / sqrt(r) instead of alpha / r.")]
    public bool Rslora { get; init; }

    /// <summary>Magnitude and direction apart (DoRA).</summary>
    [Setting("Magnitude and direction apart (DoRA).")]
    public bool Dora { get; init; }

    /// <summary>
    /// How the factors start: default and gaussian with B = 0; pissa and olora with factors that are taken out of the base.
    /// </summary>
    [Setting(
        "How the factors start: default and gaussian with B = 0; pissa and olora with factors that are taken out of the base.",
        Except = LoraInitialization.Other)]
    public LoraInitialization Init { get; init; }

    /// <summary>Learning rate of B as a multiple of that of A (LoRA+); 1 for the same.</summary>
    [Setting("Learning rate of B as a multiple of that of A (LoRA+); 1 for the same.", Minimum = 0, Above = true)]
    public double LoraPlusRatio { get; init; } = 1;

    /// <summary>Balancing of the two factors while they train.</summary>
    [Setting("Balancing of the two factors while they train.")]
    public FactorBalanceSection Balance { get; init; } = new();

    /// <summary>The same for a new adapter.</summary>
    /// <param name="baseName">The name of the base, for the record.</param>
    /// <exception cref="WiscaException">A pattern is none.</exception>
    public AdapterConfig Config(string? baseName) => AdapterConfig.Create(new AdapterSettings
    {
        Targets =
            TargetPattern is { } pattern ? TargetModules.Matching(pattern)
            : Targets is [TargetModules.AllLinearName] ? TargetModules.AllLinear
            : TargetModules.Of(Targets),
        Rank = R,
        Alpha = Alpha,
        Dropout = Dropout,
        Layers = [.. Layers],
        Ranks = [.. Overrides.Where(other => other.R is not null).Select(other => (other.Modules, other.R!.Value))],
        Alphas = [.. Overrides.Where(other => other.Alpha is not null).Select(other => (other.Modules, other.Alpha!.Value))],
        SavedModules = [.. ModulesToSave],
        RankStabilized = Rslora,
        Dora = Dora,
        Initialization = Init,
        BaseName = baseName,
    });

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Type == AdapterKind.None)
        {
            foreach (
                var setting in Setting
                    .Of(typeof(AdapterSection))
                    .Where(setting =>
                        setting.Key != "type"
                        && given.Has(setting.Key)
                        && given.Layer(setting.Key) >= given.Layer("type")
                        && IsSet(setting)))
                given.Contradict([setting.Key, "type"], "given although there is no adapter, expected type: lora, or only type");

            // What layers beneath said of an adapter goes with it, so that a printed configuration reads back.
            return new AdapterSection { Type = AdapterKind.None };
        }

        // A printed configuration has both, targets as by default.
        int decided = given.Decide(
            "target_pattern", TargetPattern is not null,
            "targets", Targets is not [TargetModules.AllLinearName] || given.Layer("targets") > given.Layer("target_pattern"));
        if (decided < 0) return (this with { TargetPattern = null }).Complete(given);
        if (decided > 0) return (this with { Targets = [TargetModules.AllLinearName] }).Complete(given);
        if (Targets.Count == 0 && TargetPattern is null)
            given.Contradict(["targets"], "an empty list, expected at least one name, or all-linear");
        if (Targets.Count > 1 && Targets.Contains(TargetModules.AllLinearName))
            given.Contradict(["targets"], $"{TargetModules.AllLinearName} beside names, expected it alone");
        if (Dora && Init is LoraInitialization.Pissa or LoraInitialization.Olora)
            given.Contradict(
                ["dora", "init"],
                "true, expected false: factors that are taken out of the base leave no form of DoRA for the base as it is published");
        return this;
    }

    /// <summary>True where a setting is not what it is by default, so that a printed configuration reads back.</summary>
    private bool IsSet(Setting setting) =>
        SettingsWriter
            .Differences(new AdapterSection(), this)
            .Any(difference => difference.Key == setting.Key || difference.Key.StartsWith(setting.Key + ".", StringComparison.Ordinal));
}
