namespace Wisca.Checkpoints;

/// <summary>
/// Names of one model's modules and tensors across the ways it is saved: wrapped by compilers and data parallelism, without its root, as
/// the text part of a model of several media, and as different generations of transformers call that
/// (<c>language_model.model.layers</c>, <c>model.language_model.layers</c>, <c>model.layers</c>).
/// </summary>
public static class ModuleNames
{
    // Wrappers put these between the parts of a name; module counts in front only, since modules may be called so.
    private const string DataParallel = "module";
    private static readonly Dictionary<string, string> Wrappers = new(StringComparer.Ordinal)
    {
        ["_orig_mod"] = "torch.compile",
        ["_fsdp_wrapped_module"] = "FSDP",
        ["_checkpoint_wrapped_module"] = "activation checkpointing",
        ["_forward_module"] = "Lightning",
        [DataParallel] = "DataParallel",
    };

    private static readonly string[] Roots =
    [
        "model", "transformer", "gpt_neox", "language_model", "text_model", "decoder", "backbone",
    ];

    /// <summary>The name without what torch.compile, FSDP, Lightning and DataParallel put into it.</summary>
    public static string Unwrap(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        name = name[Wrapping(name).Length..];
        return Wrappers.Keys.Any(wrapper => wrapper != DataParallel && name.Contains(wrapper, StringComparison.Ordinal))
            ? string.Join('.', name.Split('.').Where(part => part == DataParallel || !Wrappers.ContainsKey(part)))
            : name;
    }

    /// <summary>What wrappers put in front of a name, <c>module._orig_mod.</c>; empty where they put nothing there.</summary>
    internal static string Wrapping(string name)
    {
        int end = 0;
        for (int dot = name.IndexOf('.'); dot > 0 && Wrappers.ContainsKey(name[end..dot]); dot = name.IndexOf('.', end)) end = dot + 1;
        return name[..end];
    }

    /// <summary>Who writes such names: <c>torch.compile in DataParallel</c>.</summary>
    /// <param name="wrapping">What <see cref="Wrapping"/> gives.</param>
    internal static string WrittenBy(string wrapping) =>
        string.Join(" in ", wrapping.TrimEnd('.').Split('.').Reverse().Select(wrapper => Wrappers[wrapper]));

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
