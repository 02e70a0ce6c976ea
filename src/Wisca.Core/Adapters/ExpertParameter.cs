using System.Collections.Immutable;
using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>
/// A parameter of a module that has factors of its own (<c>target_parameters</c>), and where a base stores it: as it is in the model, or an
/// expert at a time, whose gate and up projection are one parameter in the model.
/// </summary>
/// <param name="Name">The parameter's name: <c>gate_up_proj</c>.</param>
/// <param name="Order">Its place among the parameters of its module, by which PEFT nests; <see cref="NoOrder"/> where it is not known.
/// </param>
/// <param name="Whole">The tensor, where it is stored as one; null where it is not.</param>
/// <param name="Experts">For each expert the projections that the parameter is made of, otherwise.</param>
internal sealed record ExpertParameter(string Name, int Order, StoredTensor? Whole, ImmutableArray<ImmutableArray<StoredTensor>> Experts)
{
    public const int NoOrder = int.MaxValue;

    private static readonly string[] Orders = ["gate_up_proj", "gate_proj", "up_proj", "down_proj"];

    // What families call the parts of a parameter, and where their experts are.
    private static readonly (string Name, string[] Parts)[] Splits =
    [
        ("gate_up_proj", ["gate_proj", "up_proj"]), ("gate_up_proj", ["w1", "w3"]), ("down_proj", ["down_proj"]), ("down_proj", ["w2"]),
    ];

    private static readonly string[] Places = [".mlp.", ".block_sparse_moe.", ".feed_forward."];

    // Families whose stacks are [experts, inputs, outputs] in PEFT's model.
    private static readonly string[] InputsFirst = ["gpt_oss", "aria", "aria_text", "openai_privacy_filter"];

    private bool InputsAreFirst { get; init; }

    /// <summary>Finds a parameter in a base; null where the base has none of this name.</summary>
    public static ExpertParameter? Find(string module, string name, Checkpoint checkpoint, BaseNames names)
    {
        int order = Array.IndexOf(Orders, name);
        if (order < 0) order = NoOrder;
        if (Variants(module).Select(variant => Stored($"{variant}.{name}")).FirstOrDefault(found => found is not null) is { } whole)
            return new ExpertParameter(name, order, whole, [])
            {
                InputsAreFirst = InputsFirst.Contains(checkpoint.Config.FindString("model_type")),
            };
        foreach (string variant in Variants(module))
        {
            foreach (var (_, parts) in Splits.Where(split => split.Name == name))
            {
                var experts = ImmutableArray.CreateBuilder<ImmutableArray<StoredTensor>>();
                while (true)
                {
                    var found = parts.Select(part => Stored($"{variant}.{experts.Count}.{part}.weight")).OfType<StoredTensor>();
                    ImmutableArray<StoredTensor> all = [.. found];
                    if (all.Length < parts.Length) break;
                    experts.Add(all);
                }

                if (experts.Count > 0) return new ExpertParameter(name, order, null, experts.ToImmutable());
            }
        }

        return null;

        StoredTensor? Stored(string tensor) => names.Find(tensor, out _) is { } found ? checkpoint.Find(found) : null;
    }

    /// <summary>
    /// A module's path, or a tensor's, with what families call the part of a layer that its experts are in, and PhiMoE its router.
    /// </summary>
    public static IEnumerable<string> Variants(string module)
    {
        string? place = Places.FirstOrDefault(place => module.Contains(place, StringComparison.Ordinal));
        if (place is null) return [module];
        IEnumerable<string> placed = [module, .. Places.Where(other => other != place).Select(other => module.Replace(place, other))];
        return placed.Concat(placed.SelectMany(OtherRouter));
    }

    private static IEnumerable<string> OtherRouter(string path)
    {
        foreach (var (one, other) in ((string, string)[])[(".router", ".gate"), (".gate", ".router")])
        {
            foreach (string end in (string[])["", ".weight"])
            {
                if (path.EndsWith(one + end, StringComparison.Ordinal)) yield return path[..^(one + end).Length] + other + end;
            }
        }
    }

    /// <summary>The parameter that an expert's projection is a part of in the model: <c>gate_up_proj</c> for <c>w1</c>.</summary>
    public static string? Of(string part) => Splits.FirstOrDefault(split => split.Parts.Contains(part)).Name;

    /// <summary>A module for each matrix that the factors change; null, and why, where they do not fit.</summary>
    public IEnumerable<BoundModule>? Bind(string key, int rank, double scale, StoredTensor a, StoredTensor b, out string? why)
    {
        why = null;
        long inputs = a.Info.Shape[1], outputs = b.Info.Shape[0];
        int count = Whole is null ? Experts.Length : Whole.Info.Shape.Length == 3 ? (int)Whole.Info.Shape[0] : 1;
        if (a.Info.Shape[0] != (long)rank * count)
            why = $"'{a.Info.Name}' is {a.Info.ShapeText}, but '{key}' has rank {rank} in each of {count} experts";
        else if (Whole is { Info: var whole })
        {
            var shape = whole.Shape.TakeLast(2).ToArray();
            bool plain = shape.AsSpan().SequenceEqual([outputs, inputs]),
                transposed = shape.AsSpan().SequenceEqual([inputs, outputs]);
            if (whole.Shape.Length is 2 or 3 && (plain || transposed))
            {
                bool turned = plain && transposed ? whole.Shape.Length == 3 && InputsAreFirst : transposed;
                return Enumerable.Range(0, count).Select(expert => new BoundModule(Module(expert, 0, (int)outputs), Whole, turned)
                {
                    Slab = whole.Shape.Length == 3 ? expert : null,
                });
            }

            why = $"{whole.Name} is {whole.ShapeText}, but the factors are for {count} of [{outputs}, {inputs}]";
        }
        else if (
            Experts.FirstOrDefault(parts =>
                parts.Any(part => part.Info.Shape is not [_, var columns] || columns != inputs)
                || parts.Sum(part => part.Info.Shape[0]) != outputs)
            is { IsDefault: false } wrong)
            why = $"{wrong[0].Info.Name} is {wrong[0].Info.ShapeText}, but the factors are for [{outputs}, {inputs}]";
        else
            return Experts.SelectMany((parts, expert) => parts.Select((part, index) => new BoundModule(
                Module(expert, (int)parts.Take(index).Sum(before => before.Info.Shape[0]), (int)part.Info.Shape[0]) with
                {
                    Name = part.Info.Name[..^".weight".Length],
                },
                part,
                Transposed: false)));
        return null;

        AdapterModule Module(int expert, int first, int length) => new(key, rank, scale, a, b, null)
        {
            Expert = new ExpertSlice(expert, count, first, length),
        };
    }
}
