using System.Diagnostics;
using System.Globalization;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;
using Wisca.Transitions;

namespace Wisca.Training.Tests.Finetuning;

/// <summary>Adapters of a base that was rotated while they trained, by the logits that PEFT computes with them on the base as it lies on
/// disk. Where WISCA_PYTHON names a Python with it.</summary>
[Collection(TorchCollection.Name)]
public sealed class PeftBaseRotationTests : IDisposable
{
    private const string Variable = "WISCA_PYTHON";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("llama", "plain")]
    [InlineData("mistral", "dora")]
    [InlineData("qwen2", "modules to save")]
    [InlineData("mistral", "transitions and ranks")]
    [InlineData("gpt_neox", "plain")]
    public void Run_RotatedBase_GivesAnAdapterOfWhichPeftHasTheSameLogits(string family, string kind)
    {
        string? python = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(python), $"{Variable} is not set: it names a Python with torch, transformers and peft");
        TinyFinetune.WriteBase(_folder["base"], family);
        var config = TinyFinetune.Config(_folder);
        config = config with
        {
            Wisca = config.Wisca with
            {
                Every = 3,
                QueryKey = kind == "transitions and ranks" ? Granularity.Tensor : null,
                Rotate = new()
                {
                    Stream = RotationSource.Random,
                    Values = kind == "dora" ? null : ValueRotation.Same,
                    Adapters = kind == "transitions and ranks" ? RotationSource.Gradient : null,
                    Start = 1,
                    Every = 2,
                },
            },
            Adapter = config.Adapter with
            {
                Dora = kind == "dora",
                Targets = kind switch
                {
                    "dora" => ["q_proj", "up_proj"],
                    "modules to save" => ["q_proj", "down_proj"],
                    _ => config.Adapter.Targets,
                },
                ModulesToSave = kind == "modules to save" ? ["o_proj", "lm_head"] : [],
            },
        };
        string checkpoint;
        double[] trained;
        using (var trainer = Finetuner.Prepare(config, ResumeMode.Auto, new TrainingRecorder(), CancellationToken.None))
        {
            checkpoint = trainer.Run().Checkpoint;
            trained = LoraRun.Logits(trainer.Model);
        }

        long[] ids = LoraRun.Ids().data<long>().ToArray();
        string script = TestRepository.PathOf("tests", "Wisca.Training.Tests", "Finetuning", "peft-logits.py");
        using var process = Process.Start(
            new ProcessStartInfo(
                python!,
                ["-B", script, _folder["base"], checkpoint, "2", .. ids.Select(id => id.ToString(CultureInfo.InvariantCulture))])
            {
                RedirectStandardOutput = true,
                Environment = { ["HF_HUB_OFFLINE"] = "1" },
            }).ShouldNotBeNull();
        double[] peft = Numbers(), plain = Numbers();
        process.WaitForExit();
        double largest = trained.Max(Math.Abs);
        LoraRun.Largest(peft, trained).ShouldBeLessThan(1e-5 * largest);
        LoraRun.Largest(plain, trained).ShouldBeGreaterThan(0.05 * largest);

        double[] Numbers() =>
        [
            .. process.StandardOutput.ReadLine().ShouldNotBeNull().Split(' ')
                .Select(text => double.Parse(text, CultureInfo.InvariantCulture)),
        ];
    }
}
