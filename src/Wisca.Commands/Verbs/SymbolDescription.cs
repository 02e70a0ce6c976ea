using System.CommandLine;
using System.CommandLine.Completions;

namespace Wisca.Commands.Verbs;

/// <summary>An option or argument as the help shows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is.</param>
internal sealed record SymbolDescription(string Name, string? Description)
{
    /// <summary>Other names of an option.</summary>
    public string[]? Aliases { get; init; }

    /// <summary>What the help calls its value.</summary>
    public string? HelpName { get; init; }

    /// <summary>The fewest values.</summary>
    public int Fewest { get; init; }

    /// <summary>The most values.</summary>
    public int Most { get; init; }

    /// <summary>True for an option that must be given.</summary>
    public bool Required { get; init; }

    /// <summary>True where the help leaves it out.</summary>
    public bool Hidden { get; init; }

    /// <summary>The values that are known; null where any may be given.</summary>
    public string[]? Values { get; init; }

    /// <summary>The value where none is given; null for none.</summary>
    public string? Default { get; init; }

    // A default that is another on another machine.
    private const string Processors = "{processors}";

    public static SymbolDescription Of(Argument argument) => new(argument.Name, argument.Description)
    {
        HelpName = argument.HelpName,
        Fewest = argument.Arity.MinimumNumberOfValues,
        Most = argument.Arity.MaximumNumberOfValues,
        Hidden = argument.Hidden,
        Values = Words(argument),
        Default = argument.HasDefaultValue ? $"{argument.GetDefaultValue()}" : null,
    };

    public static SymbolDescription Of(Option option) => new(option.Name, option.Description)
    {
        Aliases = option.Aliases.Count == 0 ? null : [.. option.Aliases],
        HelpName = option.HelpName,
        Fewest = option.Arity.MinimumNumberOfValues,
        Most = option.ValueType == typeof(bool) ? 0 : option.Arity.MaximumNumberOfValues,
        Required = option.Required,
        Hidden = option.Hidden,
        Values = option.ValueType == typeof(bool) ? null : Words(option),
        Default = !option.HasDefaultValue || option.ValueType == typeof(bool) ? null
            : option.Name == "--threads" ? Processors
            : $"{option.GetDefaultValue()}",
    };

    public Argument ToArgument()
    {
        var argument = new Argument<string[]>(Name)
        {
            Description = Description, HelpName = HelpName, Arity = new ArgumentArity(Fewest, Most), Hidden = Hidden,
        };
        if (Values is { } values) argument.AcceptOnlyFromAmong(values);
        if (Default is { } text) argument.DefaultValueFactory = _ => [text];
        return argument;
    }

    public Option ToOption()
    {
        string[] aliases = Aliases ?? [];
        if (Most == 0) return new Option<bool>(Name, aliases) { Description = Description, Hidden = Hidden, Required = Required };
        var option = new Option<string[]>(Name, aliases)
        {
            Description = Description,
            HelpName = HelpName,
            Arity = new ArgumentArity(Fewest, Most),
            Hidden = Hidden,
            Required = Required,
        };
        if (Values is { } values) option.AcceptOnlyFromAmong(values);
        if (Default is { } text) option.DefaultValueFactory = _ => [text == Processors ? $"{Environment.ProcessorCount}" : text];
        return option;
    }

    private static string[]? Words(Symbol symbol)
    {
        string[] words = [.. symbol.GetCompletions(CompletionContext.Empty).Select(item => item.Label)];
        return words.Length > 0 ? words : null;
    }
}
