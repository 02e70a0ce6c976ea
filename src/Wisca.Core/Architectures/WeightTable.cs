using System.Text.Json.Serialization;
using Wisca.Attention;

namespace Wisca.Architectures;

/// <summary>
/// A weight beside the attention's projections, with the spaces of a model that it leads from and to: <c>stream</c> (the residual stream),
/// the output of a norm (by the norm's name), or a name that a table gives to what lies between two weights (<c>hidden</c>).
/// </summary>
/// <param name="Name">
/// Its name, relative to the layer or the model's root, without <c>.weight</c> and <c>.bias</c>; <c>*</c> stands for the number of an
/// expert. What stands behind the name (scales, packed values, adapters) belongs to it.
/// </param>
/// <param name="From">
/// The space that it reads; of several the first that is there, the last where none is. Null for a table of embeddings, which is read row
/// by row, and for what reads nothing of the model's spaces.
/// </param>
/// <param name="To">
/// The space that it writes, chosen like <paramref name="From"/>. A norm that reads the stream writes a space of its own, and one that
/// writes the stream is read by its name; one that reads and writes the stream stands in it, behind the sum. Null where nothing else is
/// known to read what it writes.
/// </param>
/// <param name="Parts">Instead of <paramref name="To"/>: the spaces of equal parts of what it writes, in order; <c>-</c> for one that
/// nothing else is known to read.</param>
/// <param name="Norm">What it computes, where it is a norm.</param>
/// <param name="Orientation">How a matrix is stored.</param>
/// <param name="Stacked">True where a leading axis counts experts.</param>
/// <param name="Activation">
/// What stands between what it writes and the weights that read that. Null where it writes nothing between two weights, or where the table
/// does not say: then no factor passes.
/// </param>
/// <param name="Tied">
/// Of the output projection to the vocabulary, which stands at the root of the model: whether it is the embedding where the configuration
/// has no <c>tie_word_embeddings</c>.
/// </param>
/// <param name="Outside">True of a weight of the model that stands beside what the prefix names, as output projections do.</param>
/// <param name="When">
/// The condition under which this is what the name means: on a key, or on a tensor of the layer. Null for always; of several entries of one
/// name the first whose condition holds is used.
/// </param>
public sealed record WeightTable(
    string Name,
    [property: JsonConverter(typeof(NamesConverter))] IReadOnlyList<string>? From = null,
    [property: JsonConverter(typeof(NamesConverter))] IReadOnlyList<string>? To = null,
    IReadOnlyList<string>? Parts = null,
    NormForm? Norm = null,
    Orientation Orientation = Orientation.Linear,
    bool Stacked = false,
    ActivationTable? Activation = null,
    bool? Tied = null,
    bool Outside = false,
    ConditionTable? When = null)
{
    /// <summary>The space of parts that nothing else is known to read.</summary>
    internal const string Unread = "-";

    internal string? Check(string list) =>
        string.IsNullOrEmpty(Name) || Name.Count(letter => letter == '*') > 1
            ? $"{list} has a weight without a name, or with more than one *"
        : new[] { From, To, Parts }.Any(names => names is not null && (names.Count == 0 || names.Any(string.IsNullOrEmpty)))
            ? $"{list}: {Name} has an empty from, to or parts"
        : To is not null && Parts is not null ? $"{list}: {Name} has both to and parts"
        : Norm is { } norm && !Enum.IsDefined(norm) ? $"{list}: {Name}: an unknown norm"
        : Norm is not null && ((From ?? To) is null || Parts is not null || Stacked || Orientation != Orientation.Linear)
            ? $"{list}: {Name} is a norm, and has from or to and nothing else"
        : Norm is not null && From is not null && To is not null && !(From is [ModelMap.Stream] && To is [ModelMap.Stream])
            ? $"{list}: {Name} is a norm that has from and to, and so stands in the stream: both are stream"
        : !Enum.IsDefined(Orientation) ? $"{list}: {Name}: orientation must be linear or conv1d"
        : Tied is not null && (From is null || To is not null || Norm is not null || list != "model_weights")
            ? $"{list}: {Name}: only the output projection of model_weights is tied"
        : Outside && (Tied is not null || list != "model_weights")
            ? $"{list}: {Name}: outside is said of model_weights alone, and output projections stand there anyway"
        : Activation is not null && (Norm is not null || (To ?? Parts) is null)
            ? $"{list}: {Name} has an activation, but writes nothing between two weights"
        : Activation?.Check() is { } wrong ? $"{list}: {Name}: {wrong}"
        : When?.Check($"{list}: {Name}: when", tensorAllowed: list == "layer_weights");
}
