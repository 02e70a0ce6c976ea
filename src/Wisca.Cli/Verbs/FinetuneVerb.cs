using System.CommandLine;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca finetune</c>: fine-tunes a model on instructions as a configuration file says.</summary>
internal static class FinetuneVerb
{
    public static Command Create(CommandContext context) => TrainingRun.Create(
        context,
        "finetune",
        "Fine-tune a model on instructions: LoRA adapters, or the whole model.",
        "The run, as YAML; configs/finetune-*.yaml are examples. base.model and data.train must be given, here or by --set.",
        FinetuneConfig.Load,
        Finetuner.Join,
        settings => settings.Base.Model,
        "held-out loss of answers");
}
