using Wisca.Checkpoints;

namespace Wisca.Architectures;

/// <summary>
/// The text model of a checkpoint: all of it, or what a multimodal wrapper keeps under <c>text_config</c>. Any wrapper will do whose
/// text model is of a known family; vision towers and projectors are none of a transition's business.
/// </summary>
/// <param name="Config">The configuration of the text model.</param>
/// <param name="Table">Its table.</param>
/// <param name="Outer">The wrapper's configuration; null where there is none.</param>
internal sealed record TextModel(ModelConfig Config, ArchitectureTable Table, ModelConfig? Outer)
{
    /// <summary>What may stand in front of a table's own prefixes: what wrappers of all generations call their text model.</summary>
    public static readonly string[] Stems =
        ["", "language_model.", "model.language_model.", "model.text_model.", "text_model.", "llm."];

    /// <summary>The configuration that says whether the output projection is tied: the wrapper's, where it says so.</summary>
    public ModelConfig TyingConfig =>
        Outer is not null && Config.Find("tie_word_embeddings") is null && Outer.Find("tie_word_embeddings") is not null ? Outer : Config;

    // The second and third are those of model code that came before transformers' own.
    private static readonly string[] Sections = ["text_config", "language_config", "llm_config"];

    /// <summary>Finds the text model.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="table">The user's table; null to find a built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">Neither the type nor that of the text model is known.</exception>
    public static TextModel Find(ModelConfig config, ArchitectureTable? table)
    {
        string? type = table is null ? config.ModelType : config.FindString("model_type");
        if (table is null && KnownArchitectures.TryFind(type!, out var own, wrappers: false)) return new TextModel(config, own, null);
        string? section =
            type is null || table?.Covers(type) == true ? null : Sections.FirstOrDefault(name => config.Find(name) is not null);
        if (section is null) return new TextModel(config, table ?? KnownArchitectures.Find(type!), null);
        var text = config.Section(section)!;
        if (text.FindString("model_type") is not { } inner)
        {
            // The wrapper's own default.
            table ??= KnownArchitectures.Find(type!);
            inner = table.Name;
        }
        else if (table is null)
        {
            table = KnownArchitectures.Find(inner, $"{config.File}: a {type} model around {section}.model_type");
        }
        else if (!table.Covers(inner))
        {
            if (!table.Wraps(type!)) return new TextModel(config, table, null);
            throw new WiscaException(
                $"{config.File}: a {type} model around '{inner}' is not known, only around {string.Join(", ", table.ModelTypes)}",
                "a table of your own is given with --architecture file.json");
        }

        return new TextModel(text.WithDefaults(inner == table.Name ? table.TextDefaults : null), table, config);
    }
}
