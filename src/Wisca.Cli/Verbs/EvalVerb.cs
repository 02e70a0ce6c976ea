using System.CommandLine;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca eval MODEL</c>: measures how well a model predicts text, and how well it does on tasks.</summary>
internal static class EvalVerb
{
    public static Command Create(CommandContext context)
    {
        var shared = new EvaluationOptions.Symbols();
        var text = new TextEvaluation.Symbols();
        var tasks = new TaskEvaluation.Symbols();
        var command = new Command("eval", "Measure a model: the perplexity of a text, and zero-shot tasks.");
        shared.AddTo(command);
        text.AddTo(command);
        tasks.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            if (tasks.ReadList(parsed) is { } include) return TaskEvaluation.List(context, include);
            var options = shared.Read(parsed);
            return (text.Read(parsed), tasks.Read(parsed)) switch
            {
                ({ } asked, null) => TextEvaluation.Run(context, options, asked, cancellation),
                (null, { } asked) => TaskEvaluation.Run(context, options, asked, cancellation),
                (null, null) => throw new UsageException("nothing to measure: give --text FILE or --tasks NAMES"),
                _ => throw new UsageException("--text and --tasks are given together, expected one of the two"),
            };
        }));
        return command;
    }
}
