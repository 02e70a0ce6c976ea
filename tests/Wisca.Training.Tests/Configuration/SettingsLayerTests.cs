using Wisca.Settings;
using Wisca.Tests;
using Wisca.Training.Configuration;

namespace Wisca.Training.Tests.Configuration;

/// <summary>Of two ways of saying one thing the later layer's counts, and in one layer both are an error.</summary>
public sealed class SettingsLayerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("epochs: 3", "steps=5", "steps: 5; epochs: 1")]
    [InlineData("steps: 5", "epochs=3", "steps: none; epochs: 3")]
    [InlineData("steps: 5", "epochs=1", "steps: none; epochs: 1")]
    [InlineData("epochs: 3", "steps=none", "steps: none; epochs: 3")]
    [InlineData("steps: 5\nepochs: 1", "batch_size=2", "steps: 5; epochs: 1")]
    [InlineData("data: {validation: [x]}", "data.held_out=0.2", "validation: []; held_out: 0.2")]
    [InlineData("data: {held_out: 0.2}", "data.validation=[x]", "validation: [x]; held_out: none")]
    [InlineData("data: {held_out: 0.2}", "data.validation=[]", "validation: []; held_out: 0.2")]
    [InlineData("data: {test: [x]}", "data.test_share=0.3", "test: []; test_share: 0.3")]
    [InlineData("data: {test_share: 0.3}", "data.test=[x]", "test: [x]; test_share: none")]
    [InlineData("adapter: {targets: [q_proj]}", "adapter.target_pattern=.*v_proj", "targets: [all-linear]; target_pattern: \".*v_proj\"")]
    [InlineData("adapter: {target_pattern: .*v_proj}", "adapter.targets=[q_proj]", "targets: [q_proj]; target_pattern: none")]
    [InlineData("adapter: {target_pattern: .*v_proj}", "adapter.targets=all-linear", "targets: [all-linear]; target_pattern: none")]
    [InlineData("adapter: {r: 4, dora: true}", "adapter.type=none", "type: none; r: 8; dora: false")]
    [InlineData("wisca: {preset: qk_ten+vo_ten}", "wisca.qk=kv-head", "qk: kv-head; vo: tensor")]
    [InlineData("wisca: {preset: qk_ten+vo_ten}", "wisca.vo=none", "qk: tensor; vo: none")]
    [InlineData("wisca: {qk: kv-head, vo: none}", "wisca.preset=qk_ten+vo_ten", "qk: tensor; vo: tensor")]
    public void Read_AlternativeInALaterLayer_Wins(string yaml, string setting, string expected)
    {
        string[] lines = Lines(SettingsReader.Read<FinetuneConfig>(yaml, "file", [setting]).ToYaml(commented: false));
        foreach (string line in expected.Split("; ")) lines.ShouldContain(line);
    }

    [Theory]
    [InlineData("model: {config: a.json}", "model.from=b", "from: b; config: none")]
    [InlineData("model: {from: b}", "model.config=a.json", "from: none; config: a.json")]
    [InlineData(
        "model: {initialization: {standard_deviation: 0.1, residual_scaling: true}}", "model.from=b",
        "from: b; standard_deviation: none; residual_scaling: none")]
    [InlineData("tokenizer: {source: train}", "tokenizer.path=x", "source: auto; path: x")]
    [InlineData("tokenizer: {path: x}", "tokenizer.source=bytes", "source: bytes; path: none")]
    [InlineData("tokenizer: {source: train}", "model.from=b", "from: b; source: auto")]
    [InlineData("data: {validation: [x], test: [y]}", "data={held_out: 0.2}", "validation: []; held_out: 0.2; test: []")]
    public void Read_AlternativeOfATrainingInALaterLayer_Wins(string yaml, string setting, string expected)
    {
        string[] lines = Lines(SettingsReader.Read<TrainingConfig>(yaml, "file", [setting]).ToYaml(commented: false));
        foreach (string line in expected.Split("; ")) lines.ShouldContain(line);
    }

    [Theory]
    [InlineData("steps: 4\nepochs: 2", "batch_size=3", "file:2: epochs: given together with steps")]
    [InlineData("batch_size: 3", "steps=4|epochs=2", "epochs: given together with steps")]
    [InlineData("batch_size: 3", "data={held_out: 0.1}|data.validation=[x]", "data.held_out: given together with data.validation")]
    [InlineData("batch_size: 3", "adapter={type: none, r: 4}", "adapter.r: given although there is no adapter")]
    [InlineData("adapter: {type: none}", "adapter.r=4", "adapter.r: given although there is no adapter")]
    [InlineData("wisca: {preset: qk_ten, qk: pair}", "batch_size=3", "wisca.preset: says the same as")]
    [InlineData("batch_size: 3", "wisca.preset=qk_ten|wisca.vo=none", "wisca.preset: says the same as")]
    public void Read_BothInOneLayer_IsAnError(string yaml, string settings, string expected) =>
        Should
            .Throw<WiscaException>(() => SettingsReader.Read<FinetuneConfig>(yaml, "file", settings.Split('|')))
            .Message.ShouldContain(expected);

    [Fact]
    public void Load_FileThatIsNotUtf8_NamesTheLine()
    {
        File.WriteAllBytes(_folder["c.yaml"], [.. "steps: 1\noutput: \"run-caf"u8, 0xE9, .. "\"\n"u8]);
        Message().ShouldBe($"{_folder["c.yaml"]}:2: byte 0xE9 is not valid UTF-8");
        File.WriteAllText(_folder["c.yaml"], "steps: 1\n", System.Text.Encoding.Unicode);
        Message().ShouldBe($"{_folder["c.yaml"]} is in UTF-16, expected text in UTF-8");
        File.WriteAllText(_folder["c.yaml"], "steps: 1\noutput: \"run-\\ud800\"\n");
        Message().ShouldContain("c.yaml:2: ");
        Message().ShouldContain("invalid Unicode surrogates");
        File.WriteAllText(_folder["c.yaml"], "\uFEFFoutput: \"run-\\ud83d\\ude00é\"\n");
        FinetuneConfig.Load(_folder["c.yaml"]).Output.ShouldBe("run-😀é");

        string Message() => Should.Throw<WiscaException>(() => FinetuneConfig.Load(_folder["c.yaml"])).Message;
    }

    [Fact]
    public void Load_CaseInLatin1_NamesTheLine()
    {
        string path = TestData.Require("cases", "yaml-not-utf8", "c.yaml");
        Should.Throw<WiscaException>(() => TrainingConfig.Load(path)).Message.ShouldEndWith("c.yaml:2: byte 0xE9 is not valid UTF-8");
    }

    private static string[] Lines(string yaml) => [.. yaml.Split('\n').Select(line => line.Trim())];
}
