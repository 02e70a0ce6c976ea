using System.CommandLine;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Data.Corpora;
using Wisca.Evaluation.Tasks.Making;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca make-tasks TEXT... --out DIR</c>: makes tasks that small models can do.</summary>
internal static class MakeTasksVerb
{
    public static Command Create(CommandContext context)
    {
        var sources = new Argument<string[]>("TEXT")
        {
            Description = "Held-out stories: files, folders and patterns, as for wisca tokenize. Paragraphs stand between empty lines.",
            Arity = ArgumentArity.OneOrMore,
        };
        var output = SharedOptions.Output();
        var items = SharedOptions.Number("--items", "Questions of each task.", "N", 1, 1_000_000);
        items.DefaultValueFactory = _ => 2000;
        var seed = SharedOptions.Number("--seed", "Decides which questions, and their order.", "N", 0L, (1L << 48) - 1);
        var field = SharedOptions.Field();
        var json = SharedOptions.Json();
        var command = new Command("make-tasks", "Make tasks for small models from stories they were not trained on.")
        {
            sources, output, items, seed, field, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string folder = parsed.GetRequiredValue(output);
            var corpus = CorpusReader.Open(
                parsed.GetRequiredValue(sources), new CorpusReaderOptions { Field = parsed.GetValue(field)! });
            var tasks = StoryTasks.Write(
                corpus.Documents(cancellation: cancellation), folder, parsed.GetValue(items), parsed.GetValue(seed));
            if (parsed.GetValue(json))
            {
                context.WriteJson(new JsonObject
                {
                    ["folder"] = folder,
                    ["tasks"] = new JsonArray([.. tasks.Select(task => (JsonNode?)new JsonObject
                    {
                        ["task"] = task.Task, ["items"] = task.Items, ["choices"] = task.Choices,
                    })]),
                });
                return 0;
            }

            var table = new Table().Border(TableBorder.Simple).AddColumn("task");
            foreach (string header in (string[])["questions", "choices"]) table.AddColumn(new TableColumn(header).RightAligned());
            foreach (var (task, count, choices) in tasks) table.AddRow(task, Format.Count(count), $"{choices}");
            context.Out.Write(table);
            context.Out.WriteLine($"wisca eval MODEL --tasks '{StoryTasks.Prefix}*' --include {folder} --data {folder}");
            return 0;
        }));
        return command;
    }
}
