using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Cli.CommandLine;
using Wisca.Training;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca train</c>: trains a model as a configuration file says.</summary>
internal static class TrainVerb
{
    public static Command Create(CommandContext context)
    {
        var config = new Option<string?>("--config", "-c") { Description = "The run, as YAML; configs/ has examples. Without it the defaults: a small Llama on the built-in stories.", HelpName = "FILE" };
        var set = new Option<string[]>("--set") { Description = "A setting that wins over the file: optimizer.learning_rate=2e-3. May be given several times.", HelpName = "KEY=VALUE", AllowMultipleArgumentsPerToken = true };
        var resume = new Option<string>("--resume") { Description = "auto: go on from the run's latest checkpoint, if there is one; never: begin anew; or a checkpoint's folder.", DefaultValueFactory = _ => "auto", HelpName = "auto|PATH|never" };
        var print = new Option<bool>("--print-config") { Description = "Print the configuration with every key explained, and train nothing." };
        var json = SharedOptions.Json();
        var command = new Command("train", "Train a model, with WISCA in the loop.") { config, set, resume, print, json };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var settings = TrainingConfig.Load(parsed.GetValue(config), parsed.GetValue(set) ?? []);
            if (parsed.GetValue(print))
            {
                context.StandardOutput.Write(settings.ToYaml(commented: true));
                return 0;
            }

            var mode = parsed.GetValue(resume) switch { "auto" => ResumeMode.Auto, "never" => ResumeMode.Never, var path => ResumeMode.From(path!) };
            return Run(context, settings, mode, parsed.GetValue(json), cancellation);
        }));
        return command;
    }

    private static int Run(CommandContext context, TrainingConfig config, ResumeMode resume, bool json, CancellationToken cancellation)
    {
        var watch = new TrainingConsole(context.Error);
        using var trainer = Trainer.Prepare(config, resume, watch, cancellation);
        if (trainer.CompletedSteps > 0) watch.Notice($"going on from step {trainer.CompletedSteps}");
        var result = trainer.Run(cancellation);
        string folder = Path.GetFullPath(config.Output);
        if (json)
        {
            context.WriteJson(new JsonObject
            {
                ["step"] = result.Step,
                ["interrupted"] = result.Interrupted,
                ["checkpoint"] = result.Checkpoint,
                ["held_out_loss"] = result.Final is null ? null : Format.Json(result.Final.Loss),
                ["perplexity"] = result.Final is null ? null : Format.Json(result.Final.Perplexity),
                ["tokens"] = result.TokensSeen,
                ["training_seconds"] = result.Training.TotalSeconds,
            });
        }
        else
        {
            var console = context.Out;
            string evaluated = result.Final is null ? "" : string.Create(CultureInfo.InvariantCulture, $", held-out loss {result.Final.Loss:0.0000}, perplexity {result.Final.Perplexity:0.000}");
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Step} steps, {result.TokensSeen} tokens in {TrainingConsole.Span(result.Training)}{evaluated}"));
            console.WriteLine($"checkpoint  {result.Checkpoint}");
            if (config.Logging.Jsonl) console.WriteLine($"metrics     {Path.Combine(folder, "metrics.jsonl")}");
            if (config.Logging.Tensorboard) console.WriteLine($"TensorBoard {Path.Combine(folder, "tensorboard")}");
            if (result.Interrupted) console.WriteLine("interrupted: the same command goes on from here");
        }

        return 0;
    }
}
