using System.CommandLine;
using Spectre.Console;
using Wisca.Architectures;
using Wisca.Commands.CommandLine;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca architectures</c>: what is supported.</summary>
internal static class ArchitecturesVerb
{
    public static Command Create(CommandContext context)
    {
        var name = new Argument<string?>("NAME")
        {
            Description = "Show one table (as JSON with --json: a start for one of your own).",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var json = SharedOptions.Json();
        var command = new Command("architectures", "List the architectures that are supported.") { name, json };
        command.SetAction(parsed => Run(context, parsed.GetValue(name), parsed.GetValue(json)));
        return command;
    }

    private static int Run(CommandContext context, string? name, bool json)
    {
        var tables = name is null ? KnownArchitectures.All : [KnownArchitectures.Find(name, "architecture")];
        if (json)
        {
            var nodes = tables.Select(table => System.Text.Json.Nodes.JsonNode.Parse(table.ToJson())!).ToArray();
            context.WriteJson(name is null ? new System.Text.Json.Nodes.JsonArray(nodes) : nodes[0]);
            return 0;
        }

        var list = new Table().Border(TableBorder.Simple).AddColumns("architecture", "model_type", "models", "RoPE", "refused");
        foreach (var table in tables)
        {
            string refused = string.Join(
                "; ",
                table.Refuse
                    .Select(rule => string.Join("+", [.. (rule.Transitions ?? []).Select(EnumNames.Name), .. Stream(rule)])
                        + Condition(rule.When))
                    .Distinct());
            list.AddRow(
                table.Name.EscapeMarkup(), string.Join(", ", table.ModelTypes).EscapeMarkup(), table.Description.EscapeMarkup(),
                table.Rope.Pairs.Name(), refused.EscapeMarkup());
        }

        context.Out.Write(list);
        return 0;
    }

    private static IEnumerable<string> Stream(RefusalTable rule) => rule.Stream ? ["stream"] : [];

    private static string Condition(ConditionTable? when) =>
        when is null ? "" : when.Key is { } key ? $" with {key}" : $" with {when.Tensor}";
}
