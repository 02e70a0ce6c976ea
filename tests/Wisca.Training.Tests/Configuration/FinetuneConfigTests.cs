using Wisca.Settings;
using Wisca.Tests;
using Wisca.Training.Configuration;

namespace Wisca.Training.Tests.Configuration;

public sealed class FinetuneConfigTests
{
    [Fact]
    public void EveryShippedConfig_IsRead()
    {
        string[] files = Directory.GetFiles(TestRepository.PathOf("configs"), "finetune-*.yaml");
        files.Length.ShouldBe(2);
        foreach (string file in files)
        {
            var config = FinetuneConfig.Load(file);
            SettingsReader
                .Read<FinetuneConfig>(config.ToYaml(commented: true), "printed")
                .ToYaml(commented: false)
                .ShouldBe(config.ToYaml(commented: false));
            string[] lines = File.ReadAllLines(file);
            for (int index = 0; index < lines.Length; index++)
            {
                string line = lines[index].Trim();
                if (line.Length > 0 && line[0] != '#')
                    (line.Contains(" #", StringComparison.Ordinal) || lines[index - 1].TrimStart().StartsWith('#')).ShouldBeTrue(
                        $"{file}:{index + 1}: {line}");
            }
        }
    }

    [Fact]
    public void Defaults_Printed_TellNoOtherDefaults()
    {
        // A section's defaults are those it has here, not those of a section of its type elsewhere.
        new FinetuneConfig().ToYaml(commented: true).ShouldNotContain("; default ");
        new TrainingConfig().ToYaml(commented: true).ShouldNotContain("; default ");
        (new FinetuneConfig() with { Optimizer = new() }).ToYaml(commented: true).ShouldContain("; default 0.0002");
    }

    [Theory]
    [InlineData("adapter: {type: none, r: 4}", "adapter.r: given although there is no adapter")]
    [InlineData("adapter: {type: none}\nbase: {dtype: stored}", "base.dtype: stored for a model that trains whole")]
    [InlineData("adapter: {dora: true, init: olora}", "adapter.dora: true, expected false")]
    [InlineData("adapter: {targets: []}", "adapter.targets: an empty list")]
    [InlineData("adapter: {targets: [all-linear, q_proj]}", "all-linear beside names")]
    [InlineData("adapter: {targets: [q_proj], target_pattern: x}", "adapter.target_pattern: given together")]
    [InlineData("adapter: {balance: {granularity: general}}", "expected one of tensor, rank, gl")]
    [InlineData("steps: 4\nepochs: 2", "epochs: given together with steps")]
    [InlineData("data: {held_out: 0.1, validation: [x]}", "data.held_out: given together")]
    [InlineData("data: {test: [x], test_share: 0.5}", "data.test_share: given together with data.test")]
    [InlineData("data: {test_share: 1}", "expected a number above 0 and below 1")]
    [InlineData("save: {for: both}", "expected one of original, rescaled")]
    public void Read_Contradictions_AreReported(string yaml, string message) =>
        Should.Throw<WiscaException>(() => SettingsReader.Read<FinetuneConfig>(yaml, "test")).Message.ShouldContain(message);

    [Fact]
    public void Read_WholeModelPrinted_ReadsBack()
    {
        var config = SettingsReader.Read<FinetuneConfig>("adapter: {type: none}", "test");
        SettingsReader
            .Read<FinetuneConfig>(config.ToYaml(commented: true), "printed")
            .ToYaml(commented: false)
            .ShouldBe(config.ToYaml(commented: false));
    }
}
