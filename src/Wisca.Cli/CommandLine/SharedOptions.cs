using System.CommandLine;
using Wisca.Architectures;

namespace Wisca.Cli.CommandLine;

/// <summary>Options and arguments that several verbs have.</summary>
internal static class SharedOptions
{
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Show the stack trace of an error.", Recursive = true };

    public static Argument<string> Model(string name = "MODEL") =>
        new(name) { Description = "A Hugging Face model folder: config.json and safetensors weights." };

    public static Option<bool> Json() => new("--json") { Description = "Write JSON to standard output." };

    public static Option<string> Output() => new("--out", "-o") { Description = "The folder to write. It appears when it is complete.", HelpName = "DIR", Required = true };

    public static Option<bool> Force() => new("--force") { Description = "Replace an existing output folder that wisca wrote." };

    public static Option<string?> Architecture() => new("--architecture")
    {
        Description = "An architecture table of your own, for a model_type that wisca does not know.",
        HelpName = "FILE",
    };

    public static Option<int> Threads()
    {
        var option = new Option<int>("--threads") { Description = "Number of threads (default: all processors).", HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1024) result.AddError("--threads must be from 1 to 1024");
        });
        return option;
    }

    /// <summary>The user's architecture table, or null for the built-in ones.</summary>
    public static ArchitectureTable? Table(string? path) => path is null ? null : ArchitectureTable.Load(path);
}
