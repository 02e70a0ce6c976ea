namespace Wisca.Fuzz;

/// <summary>What the command line says.</summary>
internal sealed record Options
{
    public long Cases { get; init; } = 100_000;

    public long Seed { get; init; } = 1;

    public long First { get; init; }

    public string? Target { get; init; }

    public string? Case { get; init; }

    public bool Keep { get; init; }

    /// <summary>Reads the command line; null where it is wrong.</summary>
    public static Options? Parse(string[] args)
    {
        var options = new Options();
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] == "--keep")
            {
                options = options with { Keep = true };
                continue;
            }

            if (i + 1 == args.Length) return null;
            string value = args[++i];
            bool isNumber = long.TryParse(value, out long number) && number >= 0;
            switch (args[i - 1])
            {
                case "--cases" when isNumber:
                    options = options with { Cases = number };
                    break;
                case "--seed" when isNumber:
                    options = options with { Seed = number };
                    break;
                case "--first" when isNumber:
                    options = options with { First = number };
                    break;
                case "--target":
                    options = options with { Target = value };
                    break;
                case "--case":
                    options = options with { Case = value };
                    break;
                default:
                    return null;
            }
        }

        return options.Case is null || options.Target is not null ? options : null;
    }
}
