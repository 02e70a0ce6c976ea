using Wisca.Cli.Verbs;
using Wisca.Commands;
using Wisca.Commands.CommandLine;

namespace Wisca.Cli;

/// <summary>The command line with all its verbs.</summary>
public static class WiscaApplication
{
    /// <summary>The program: what runs models, and the verbs that need it, beside those that do not.</summary>
    internal static CommandLineProgram Program { get; } = new(
        new ModelRunner(),
        context =>
        [
            TokenizeVerb.Create(context),
            DoctorVerb.Create(context),
            GenerateVerb.Create(context),
            EvalVerb.Create(context),
            MakeTasksVerb.Create(context),
            FlatnessVerb.Create(context),
            TrainVerb.Create(context),
            FinetuneVerb.Create(context),
            CompareVerb.Create(context),
            CompareWorkerVerb.Create(context),
            ReportVerb.Create(context),
            DemoVerb.Create(context, (words, cancellation) => Program!.RunAsync(words, context, cancellation)),
        ]);

    /// <summary>Runs a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="context">Where to write.</param>
    /// <returns>0 done, 1 failed check or bad input, 2 wrong usage.</returns>
    public static Task<int> RunAsync(string[] args, CommandContext context) => Program.RunAsync(args, context);
}
