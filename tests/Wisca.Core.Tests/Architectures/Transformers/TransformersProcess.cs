using System.Diagnostics;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>
/// A Python with transformers in it, where WISCA_PYTHON names one: <c>judge.py</c>, which takes a JSON object a line and answers with one.
/// It lives as long as the tests that share it, because importing takes seconds and a question milliseconds.
/// </summary>
public sealed class TransformersProcess : IDisposable
{
    private const string Variable = "WISCA_PYTHON";
    private readonly TemporaryFolder _models = new();
    private readonly Dictionary<(string Name, string ElementType, bool UniformGains), string> _made = [];
    private Process? _process;

    /// <summary>The version of transformers that answers.</summary>
    public string Version { get; private set; } = "";

    /// <summary>Starts it where it is not running yet; skips the running test where there is none.</summary>
    public void Require()
    {
        string? python = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(python), $"{Variable} is not set: it names a Python with torch and transformers");
        if (_process is not null) return;
        string script = TestRepository.PathOf("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "judge.py");
        _process = Process.Start(
            new ProcessStartInfo(python!, ["-B", script])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                Environment = { ["HF_HUB_OFFLINE"] = "1" },
            }).ShouldNotBeNull();
        Version = Read()["transformers"]!.GetValue<string>();
    }

    /// <summary>Asks a question.</summary>
    public JsonNode Ask(JsonObject question)
    {
        _process.ShouldNotBeNull().StandardInput.WriteLine(question.ToJsonString());
        _process.StandardInput.Flush();
        var answer = Read();
        answer["error"]?.GetValue<string>().ShouldBeNull(question.ToJsonString());
        return answer;
    }

    /// <summary>The folder of a model, which is built at the first call, and read only.</summary>
    internal string Make(JudgedModel model, string elementType, bool uniformGains = false)
    {
        if (_made.TryGetValue((model.Name, elementType, uniformGains), out string? folder)) return folder;
        folder = _models[$"{_made.Count}"];
        var answer = Ask(
            new JsonObject
            {
                ["do"] = "make",
                ["folder"] = folder,
                ["model_type"] = model.ModelType,
                ["config"] = model.Config.DeepClone(),
                ["dtype"] = elementType,
                ["uniform_gains"] = uniformGains,
            });
        answer["finite"]!.GetValue<bool>().ShouldBeTrue();
        return _made[(model.Name, elementType, uniformGains)] = folder;
    }

    /// <summary>The largest difference of a folder's logits to those of a model that was made, by the largest of these.</summary>
    internal double Compare(string made, string folder) =>
        Ask(new JsonObject { ["do"] = "compare", ["made"] = made, ["folder"] = folder })["difference"]!.GetValue<double>();

    public void Dispose()
    {
        _models.Dispose();
        if (_process is null) return;

        // The end of its input ends it.
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10))) _process.Kill();
        _process.Dispose();
    }

    private JsonNode Read() => JsonNode.Parse(_process!.StandardOutput.ReadLine().ShouldNotBeNull("the Python of WISCA_PYTHON ended"))!;
}
