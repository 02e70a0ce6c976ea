using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using Wisca.Architectures;

namespace Wisca.Commands.CommandLine;

/// <summary>Options and arguments that several verbs have.</summary>
public static class SharedOptions
{
    /// <summary>The stack trace of an error.</summary>
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Show the stack trace of an error.", Recursive = true };

    /// <summary>A model's folder.</summary>
    /// <param name="name">What the help calls it.</param>
    public static Argument<string> Model(string name = "MODEL") =>
        new(name) { Description = "A Hugging Face model folder: config.json and safetensors weights." };

    /// <summary>An adapter's folder.</summary>
    public static Argument<string> Adapter() =>
        new("ADAPTER") { Description = "A LoRA adapter's folder, as PEFT saves it: adapter_config.json and adapter_model.safetensors." };

    /// <summary>JSON instead of text.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Write JSON to standard output." };

    /// <summary>The folder to write.</summary>
    public static Option<string> Output() =>
        new("--out", "-o")
        {
            Description = "The folder to write. It appears when it is complete.",
            HelpName = "DIR",
            Required = true,
        };

    /// <summary>Replaces an output.</summary>
    public static Option<bool> Force() => new("--force") { Description = "Replace an existing output folder that wisca wrote." };

    /// <summary>Takes an adapter that is not whole.</summary>
    public static Option<bool> AllowPartial() =>
        new("--allow-partial") { Description = "Take an adapter that lacks a part of what its adapter_config.json names in the base." };

    /// <summary>A table of the user's.</summary>
    public static Option<string?> Architecture() => new("--architecture")
    {
        Description = "An architecture table of your own, for a model_type that wisca does not know.",
        HelpName = "FILE",
    };

    /// <summary>Number of threads.</summary>
    public static Option<int> Threads()
    {
        var option = Number("--threads", "Number of threads (default: all processors).", "N", 1, 1024);
        option.DefaultValueFactory = _ => Environment.ProcessorCount;
        return option;
    }

    /// <summary>The field of a text.</summary>
    public static Option<string> Field() => new("--field")
    {
        Description = "The field of JSON objects, or the column of Parquet files, that holds the text.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "text",
    };

    /// <summary>An option whose value is a number within bounds; anything else is one clear error.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">What it is.</param>
    /// <param name="helpName">What the help calls the number.</param>
    /// <param name="minimum">The least.</param>
    /// <param name="maximum">The most.</param>
    public static Option<T> Number<T>(string name, string description, string helpName, T minimum, T maximum)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (T.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= minimum && number <= maximum) return number;
                result.AddError($"{name} is '{text}', expected a number from {minimum} to {maximum}");
                return default;
            },
        };

    /// <summary>The names of an enumeration's values, but for one of them: what an option may be given.</summary>
    /// <param name="except">The one that is left out; null for none.</param>
    public static string[] Names<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>(T? except = null)
        where T : struct, Enum => [.. Enum.GetValues<T>().Where(value => !value.Equals(except)).Select(EnumNames.Name)];

    /// <summary>The user's architecture table, or null for the built-in ones.</summary>
    /// <param name="path">The file; null for none.</param>
    public static ArchitectureTable? Table(string? path) => path is null ? null : ArchitectureTable.Load(path);
}
