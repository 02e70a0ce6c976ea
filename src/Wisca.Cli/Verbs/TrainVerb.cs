using System.CommandLine;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Training;
using Wisca.Training.Configuration;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca train</c>: trains a model as a configuration file says.</summary>
internal static class TrainVerb
{
    public static Command Create(CommandContext context) => TrainingRun.Create(
        context,
        "train",
        "Train a model, with WISCA in the loop.",
        "The run, as YAML; configs/ has examples. Without it the defaults: a small Llama on the built-in stories.",
        TrainingConfig.Load,
        Trainer.Join,
        settings => settings.Model.From,
        "held-out loss");
}
