using System.Diagnostics;
using System.Globalization;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters.Peft;

/// <summary>Models and adapters that transformers and PEFT made, rotated here, by the logits that they compute. Where WISCA_PYTHON names a
/// Python with both.</summary>
public sealed class PeftRotationTests : IDisposable
{
    private const string Variable = "WISCA_PYTHON";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("llama", "plain", "float32", 1e-5)]
    [InlineData("llama", "dora", "float64", 1e-9)]
    [InlineData("llama", "embedding and head", "float64", 1e-9)]
    [InlineData("llama", "tokens", "float64", 1e-9)]
    [InlineData("gpt2", "plain", "float64", 1e-9)]
    [InlineData("gpt_neox", "bias", "float64", 1e-9)]
    public void Rotate_ModelWithAdapter_KeepsTheLogitsOfPeft(string family, string kind, string dtype, double tolerance)
    {
        string? python = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(python), $"{Variable} is not set: it names a Python with torch, transformers and peft");
        string script = TestRepository.PathOf("tests", "Wisca.Core.Tests", "Adapters", "Peft", "rotate.py");
        using var process = Process.Start(
            new ProcessStartInfo(python!, ["-B", script, _folder["."][..^2], family, kind, dtype])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                Environment = { ["HF_HUB_OFFLINE"] = "1" },
            }).ShouldNotBeNull();
        process.StandardOutput.ReadLine().ShouldBe("ready");
        using (var model = Checkpoint.Open(_folder["model"]))
        using (var adapter = Adapter.Open(_folder["adapter"]))
        {
            // Values of heads have no magnitudes to keep, and those of DoRA are outputs.
            var options = new RotateOptions
            {
                Stream = BasisSource.Random, Heads = kind == "dora" ? null : BasisSource.Random, Seed = 4,
            };
            AdapterRescaler.Rotate(adapter.Bind(model), _folder["rotated"], _folder["turned"], options);
        }

        process.StandardInput.WriteLine();
        double[] numbers =
        [
            .. process.StandardOutput.ReadLine().ShouldNotBeNull().Split(' ')
                .Select(text => double.Parse(text, CultureInfo.InvariantCulture)),
        ];
        process.WaitForExit();
        var (difference, effect, largest) = (numbers[0], numbers[1], numbers[2]);
        difference.ShouldBeLessThan(tolerance * largest);
        effect.ShouldBeGreaterThan(0.05 * largest);
    }
}
