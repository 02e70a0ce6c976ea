using System.CommandLine;
using Wisca.Cli.CommandLine;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca eval MODEL</c>: measures how well a model predicts text.</summary>
internal static class EvalVerb
{
    public static Command Create(CommandContext context)
    {
        var shared = new EvaluationOptions.Symbols();
        var text = new TextEvaluation.Symbols();
        var command = new Command("eval", "Measure a model: the perplexity of a text.");
        shared.AddTo(command);
        text.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var options = shared.Read(parsed);
            return text.Read(parsed) is { } asked
                ? TextEvaluation.Run(context, options, asked, cancellation)
                : throw new UsageException("nothing to measure: give --text FILE");
        }));
        return command;
    }
}
