using Wisca.Settings;
using Wisca.Torch.Transitions;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

/// <summary>Transitions while a model trains.</summary>
public sealed record WiscaSection : ISettingsSection
{
    private static readonly string[] InPlaceOfAll = ["preset", "qk", "vo", "mlp", "norms"];

    /// <summary>
    /// The paper's strategies, joined with +, for qk and vo in one word: qk_ten, qk_row, vo_ten, vo_row; origin for no transitions.
    /// </summary>
    [Setting(
        "The paper's strategies, joined with +, for qk and vo in one word: qk_ten, qk_row, vo_ten, vo_row; origin for no transitions.",
        Shorthand = true)]
    public string? Preset { get; init; }

    /// <summary>How many channels share a factor between W_q and W_k; none for no exchange. channel only where RoPE does not act.</summary>
    [Setting(
        "How many channels share a factor between W_q and W_k; none for no exchange. channel only where RoPE does not act.",
        Key = "qk")]
    public Granularity? QueryKey { get; init; } = Granularity.Tensor;

    /// <summary>How many channels share a factor between W_v and W_o; none for no exchange.</summary>
    [Setting("How many channels share a factor between W_v and W_o; none for no exchange.", Key = "vo", Except = Granularity.Pair)]
    public Granularity? ValueOutput { get; init; } = Granularity.Tensor;

    /// <summary>
    /// How many hidden channels of an MLP share a factor between what writes and what reads them: tensor or channel; none for no exchange.
    /// </summary>
    [Setting(
        "How many hidden channels of an MLP share a factor between what writes and what reads them: tensor or channel; none for no "
        + "exchange.",
        Key = "mlp", Except = Granularity.Pair)]
    public Granularity? Mlp { get; init; }

    /// <summary>
    /// How many channels of a norm share a factor between its gain and what reads behind it: tensor or channel; none for no exchange.
    /// </summary>
    [Setting(
        "How many channels of a norm share a factor between its gain and what reads behind it: tensor or channel; none for no exchange.",
        Key = "norms", Except = Granularity.Pair)]
    public Granularity? Norms { get; init; }

    /// <summary>Whether everything that is exact is exchanged at its finest and balanced jointly, in the place of qk, vo, mlp and
    /// norms.</summary>
    [Setting("Whether everything that is exact is exchanged at its finest and balanced jointly, in the place of qk, vo, mlp and norms.")]
    public bool All { get; init; }

    /// <summary>
    /// The norm to make equal on both sides; fisher goes by the gradients instead of the weights, and so not before the first step.
    /// </summary>
    [Setting(
        "The norm to make equal on both sides; fisher goes by the gradients instead of the weights, and so not before the first step.")]
    public Criterion Criterion { get; init; } = Criterion.L1;

    /// <summary>pow2 rounds factors to powers of two, none does not, auto does for tensors of 16 bits.</summary>
    [Setting("pow2 rounds factors to powers of two, none does not, auto does for tensors of 16 bits.")]
    public FactorRounding Round { get; init; } = FactorRounding.Auto;

    /// <summary>Factors are clamped to 2^-N ... 2^N.</summary>
    [Setting("Factors are clamped to 2^-N ... 2^N.", Minimum = 0, Above = true, Maximum = 64)]
    public double MaxLog2 { get; init; } = 6;

    /// <summary>
    /// With powers of two only: a group is left alone unless the |log2| of its norms' ratio exceeds 1 by this much, so that factors do not
    /// flip to and fro.
    /// </summary>
    [Setting(
        "With powers of two only: a group is left alone unless the |log2| of its norms' ratio exceeds 1 by this much, "
        + "so that factors do not flip to and fro.",
        Minimum = 0)]
    public double Hysteresis { get; init; } = 0.1;

    /// <summary>Which layers take part.</summary>
    [Setting(
        "Which layers take part.", Pattern = @"(all|\d+(-\d*)?|-\d+)( *, *(all|\d+(-\d*)?|-\d+))*",
        Expected = "all, or layers such as 0-3,8,30-")]
    public string Layers { get; init; } = "all";

    /// <summary>Whether there is a transition before the first step.</summary>
    [Setting("Whether there is a transition before the first step.")]
    public bool Init { get; init; } = true;

    /// <summary>A transition every so many steps; 0 for none.</summary>
    [Setting("A transition every so many steps; 0 for none.", Minimum = 0)]
    public int Every { get; init; } = 250;

    /// <summary>Steps after which there is a transition too.</summary>
    [Setting("Steps after which there is a transition too.", Minimum = 1)]
    public IReadOnlyList<int> At { get; init; } = [];

    /// <summary>
    /// A transition wherever the largest |log2| of the two norms' ratio passes this, which is then measured after every step.
    /// </summary>
    [Setting(
        "A transition wherever the largest |log2| of the two norms' ratio passes this, which is then measured after every step.",
        Minimum = 0, Above = true)]
    public double? Threshold { get; init; }

    /// <summary>The last step with a transition; none for the last of the run.</summary>
    [Setting("The last step with a transition; none for the last of the run.", Minimum = 0)]
    public int? Until { get; init; }

    /// <summary>
    /// What happens to the optimizer's state of scaled tensors: transport scales it with them, keep leaves it, reset clears it.
    /// </summary>
    [Setting("What happens to the optimizer's state of scaled tensors: transport scales it with them, keep leaves it, reset clears it.")]
    public StatePolicy State { get; init; } = StatePolicy.Transport;

    /// <summary>
    /// Whether the optimizer's epsilon follows too, so that a transition is exactly a change of learning rates; needs one factor a tensor.
    /// </summary>
    [Setting(
        "Whether the optimizer's epsilon follows too, so that a transition is exactly a change of learning rates; needs one factor a "
        + "tensor.")]
    public bool TransportEpsilon { get; init; }

    /// <summary>
    /// Whether the loss on a fixed batch is compared before and after every transition; a difference beyond rounding ends the run.
    /// </summary>
    [Setting("Whether the loss on a fixed batch is compared before and after every transition; a difference beyond rounding ends the run.")]
    public bool Verify { get; init; }

    /// <summary>Rotations of the residual stream, alone or beside the transitions above.</summary>
    [Setting("Rotations of the residual stream, alone or beside the transitions above.")]
    public RotationSection Rotate { get; init; } = new();

    /// <summary>
    /// Balancing of the two sides of each head by a matrix: of values and output projection, and of queries and keys where RoPE does not
    /// act.
    /// </summary>
    [Setting(
        "Balancing of the two sides of each head by a matrix: of values and output projection, and of queries and keys where RoPE does "
        + "not act.")]
    public HeadBalanceSection Balance { get; init; } = new();

    /// <summary>True where there is anything to scale.</summary>
    public bool IsActive =>
        (All || (QueryKey ?? ValueOutput ?? Mlp ?? Norms) is not null) && (Init || Every > 0 || At.Count > 0 || Threshold is not null);

    /// <summary>The same for a scheduler of transitions.</summary>
    public WiscaOptions Options => new()
    {
        Transitions = Transitions,
        Trigger = new WiscaTrigger
        {
            AtStart = Init,
            Every = Every,
            Steps = [.. At.Select(step => (long)step)],
            Threshold = Threshold,
            Until = Until,
        },
        State = State,
        TransportEpsilon = TransportEpsilon,
    };

    private TransitionOptions Transitions
    {
        get
        {
            var options = new TransitionOptions
            {
                QueryKey = QueryKey,
                ValueOutput = ValueOutput,
                Mlp = Mlp,
                Norms = Norms,
                Balance = new(Criterion, Round, MaxLog2, Hysteresis),
                Layers = new(Layers) { Key = "wisca.layers" },
            };
            return All ? options.WithAll() : options;
        }
    }

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (TransportEpsilon && State != StatePolicy.Transport)
            given.Contradict(
                ["transport_epsilon", "state"],
                "true although the state is not transported, expected false or state: transport");
        if (Rotate is { IsActive: true, Values: not null } && ValueOutput == Granularity.Channel)
            given.Contradict(
                ["vo", "rotate.values"],
                "channel although values are rotated, expected tensor or kv-head: factors of single channels do not outlast a rotation");
        if (Balance.IsActive && (ValueOutput == Granularity.Channel || QueryKey == Granularity.Channel))
            given.Contradict(
                [ValueOutput == Granularity.Channel ? "vo" : "qk", "balance"],
                "channel although heads are balanced by a matrix, expected tensor or kv-head: such factors do not outlast it");
        if (Balance.IsActive && Rotate is { IsActive: true, Values: not null })
            given.Contradict(
                ["rotate.values", "balance"],
                "same although heads are balanced by a matrix, expected one of the two: the product of both is no rotation");
        if (Mlp is Granularity.KvHead) given.Contradict(["mlp"], "kv-head, expected tensor or channel: there are no heads");
        if (Norms is Granularity.KvHead) given.Contradict(["norms"], "kv-head, expected tensor or channel: there are no heads");

        if (Rotate is { IsActive: true } && Norms == Granularity.Channel)
            given.Contradict(
                ["norms", "rotate"],
                "channel although the stream is rotated, expected tensor: factors of single channels do not outlast a rotation");
        if (All)
        {
            string[] others = [.. InPlaceOfAll.Where(key => given.Layer(key) >= given.Layer("all"))];
            if (others.Length > 0 && given.Has("all"))
                given.Contradict(["all", .. others], "true, which is every exact exchange, expected it alone");
            if (Criterion is not (Criterion.L1 or Criterion.L2))
                given.Contradict(["all", "criterion"], "true, expected criterion l1 or l2: others have no one measure of all weights");
            if (Balance.IsActive)
                given.Contradict(
                    ["all", "balance"], "true although heads are balanced by a matrix, expected tensor or kv-head of qk and vo");
            if (Rotate is { IsActive: true })
                given.Contradict(["all", "rotate"], "true although the model is rotated too, expected tensor or kv-head of qk and vo");
        }

        if (Until is { } until && At.Any(step => step > until))
            given.Contradict(["at", "until"], $"step {At.Max()}, expected at most {until} as wisca.until says");
        if (Criterion == Criterion.Fisher && Init)
        {
            if (given.Has("init"))
                given.Contradict(
                    ["init", "criterion"],
                    "true, expected false: fisher needs the second moments of the gradients, and before the first step there are none");
            return (this with { Init = false }).Complete(given);
        }

        if (Preset is null) return this;
        int layer = given.Layer("preset");
        if (given.Layer("qk") == layer || given.Layer("vo") == layer)
        {
            given.Contradict(["preset", "qk", "vo"], "says the same as wisca.qk and wisca.vo, expected one of the two ways");
            return this;
        }

        // What a later layer says of one of the two replaces that part of the preset.
        if (Preset == "origin") return Expanded(null, null);
        if (TransitionPreset.TryParse(Preset, out var preset, out string? mistake)) return Expanded(preset.QueryKey, preset.ValueOutput);
        given.Contradict(["preset"], $"{mistake}, or origin for none");
        return this;

        WiscaSection Expanded(Granularity? queryKey, Granularity? valueOutput) =>
            this with
            {
                Preset = null,
                QueryKey = given.Layer("qk") > layer ? QueryKey : queryKey,
                ValueOutput = given.Layer("vo") > layer ? ValueOutput : valueOutput,
            };
    }
}
