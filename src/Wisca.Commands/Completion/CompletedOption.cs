using System.CommandLine;

namespace Wisca.Commands.Completion;

/// <summary>An option that a shell offers.</summary>
/// <param name="Name">Such as <c>--out</c>.</param>
/// <param name="Letters">Its forms of one letter, such as <c>-o</c>.</param>
/// <param name="Description">What it does.</param>
/// <param name="Value">Its value; null where it has none.</param>
internal sealed record CompletedOption(string Name, IReadOnlyList<string> Letters, string Description, CompletedValue? Value)
{
    /// <summary>All its forms.</summary>
    public IEnumerable<string> Forms => [Name, .. Letters];

    public static CompletedOption Of(Option option) => new(
        option.Name,
        [.. option.Aliases.Where(alias => alias is ['-', >= 'a' and <= 'z'])],
        option.Description ?? "",
        option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool) ? CompletedValue.Of(option) : null);
}
