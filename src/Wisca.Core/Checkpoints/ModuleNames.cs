namespace Wisca.Checkpoints;

/// <summary>
/// Names of one model's modules and tensors across the ways it is saved: wrapped by compilers and data parallelism, without its root, as
/// the text part of a model of several media, and as different generations of transformers call that
/// (<c>language_model.model.layers</c>, <c>model.language_model.layers</c>, <c>model.layers</c>).
/// </summary>
public static class ModuleNames
{
    // Wrappers put these between the parts of a name; module stands in front only, since modules may be called so.
    private static readonly string[] Wrappers = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];
    private const string DataParallel = "module.";

    private static readonly string[] Roots =
    [
        "model", "transformer", "gpt_neox", "language_model", "text_model", "decoder", "backbone",
    ];

    /// <summary>The name without what torch.compile, FSDP and DistributedDataParallel put into it.</summary>
    public static string Unwrap(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (string wrapper in Wrappers.Where(wrapper => name.Contains(wrapper, StringComparison.Ordinal)))
            name = string.Join('.', name.Split('.').Where(part => part != wrapper));
        while (name.StartsWith(DataParallel, StringComparison.Ordinal)) name = name[DataParallel.Length..];
        return name;
    }

    /// <summary>
    /// What every spelling of a name has in common: the name behind wrappers and roots (<c>layers.0.self_attn.q_proj.weight</c>). Other
    /// parts of a model than its text keep what tells them apart (<c>vision_tower.layers.0</c>).
    /// </summary>
    public static string Canonical(string name)
    {
        name = Unwrap(name);
        for (int dot = name.IndexOf('.'); dot > 0 && Roots.Contains(name[..dot]); dot = name.IndexOf('.')) name = name[(dot + 1)..];
        const string neoX = "embed_out";
        return name == neoX || name.StartsWith(neoX + ".", StringComparison.Ordinal) ? "lm_head" + name[neoX.Length..] : name;
    }

    /// <summary>What stands in front of <see cref="Canonical"/>; the whole name where the rest is called otherwise.</summary>
    public static string Prefix(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string canonical = Canonical(name);
        return name.EndsWith(canonical, StringComparison.Ordinal) ? name[..^canonical.Length] : name;
    }
}
