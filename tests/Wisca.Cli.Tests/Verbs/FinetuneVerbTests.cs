using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Cli.Tests.Training;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;
using Wisca.Torch.Models;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class FinetuneVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string[] _command;

    public FinetuneVerbTests()
    {
        var config = ModelConfig.Parse($$"""
            {
              "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
              "num_key_value_heads": 2, "max_position_embeddings": 128, "vocab_size": 257,
              "eos_token_id": {{ByteTokenizer.EosId}}, "rms_norm_eps": 1e-5
            }
            """);
        using (var model = Decoder.Create(DecoderConfig.From(config), 3)) model.Save(_folder["base"]);
        ByteTokenizer.Create().Save(_folder["base"]);
        string Example(int i) => $$"""{"prompt": "item {{i}}: ", "completion": "{{(i % 3 == 0 ? "red" : "blue")}}"}""";
        File.WriteAllText(_folder["data.json"], $"[{string.Join(",\n", Enumerable.Range(0, 30).Select(Example))}]");
        File.WriteAllText(
            _folder["run.yaml"],
            $$"""
            output: '{{_folder["run"]}}'
            threads: 1
            batch_size: 2
            steps: 6
            base: {model: '{{_folder["base"]}}'}
            data: {train: ['{{_folder["data.json"]}}'], held_out: 0.2, sequence_length: 64}
            adapter: {r: 2, dropout: 0.1, balance: {every: 2} }
            optimizer: {learning_rate: 0.01}
            wisca: {every: 3, round: none}
            checkpoints: {every: 3, keep: 9}
            logging: {every: 1, tensorboard: false}
            """);
        _command = ["finetune", "--config", _folder["run.yaml"]];
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Finetune_ThenMergeThenGenerate_Works()
    {
        var run = await CommandRun.RunAsync([.. _command, "--json"]);
        run.ExitCode.ShouldBe(0, run.Error);
        var result = JsonNode.Parse(run.Output)!;
        string checkpoint = RunFolder.CheckpointPath(_folder["run"], 6);
        ((string)result["checkpoint"]!).ShouldBe(checkpoint);
        double perplexity = Math.Exp((double)result["held_out_loss"]!);
        ((double)result["perplexity"]!).ShouldBe(perplexity, 1e-12 * perplexity);
        foreach (
            string told in (string[])
                ["examples to train on", "examples held out", "14 modules", "template plain", "transition of", "modules balanced"])
            run.Error.ShouldContain(told);

        // For the base as it lies on disk, although the run moved it twice.
        var merged = await CommandRun.RunAsync("merge", _folder["base"], checkpoint, "--out", _folder["merged"], "--json");
        merged.ExitCode.ShouldBe(0, merged.Error);
        ((bool)JsonNode.Parse(merged.Output)!["equivalent"]!).ShouldBeTrue();
        var written = await CommandRun.RunAsync("generate", _folder["merged"], "--prompt", "item 3: ", "--max-tokens", "5");
        written.ExitCode.ShouldBe(0, written.Error);
    }

    [Fact]
    public void Finetune_ResumedInAProcessOfItsOwn_EndsWithTheSameBytes()
    {
        WiscaProcess.Run(_command);
        WiscaProcess.Run([.. _command, "--resume", RunFolder.CheckpointPath(_folder["run"], 3), "--set", $"output={_folder["second"]}"]);
        TinyRun
            .Contents(RunFolder.CheckpointPath(_folder["second"], 6))
            .ShouldBe(TinyRun.Contents(RunFolder.CheckpointPath(_folder["run"], 6)));
        TinyRun.Metrics(_folder["second"]).ShouldBe(TinyRun.Metrics(_folder["run"], after: 3));
    }

    [Theory]
    [InlineData("base.model=none", "base.model names no model")]
    [InlineData("base.model=nowhere", "nowhere does not exist")]
    [InlineData("data.train=[]", "data.train names no examples")]
    [InlineData("adapter.targets=[query]", "which no linear module of the model is called")]
    [InlineData("data.template=jinja", "a tokenizer's own chat_template is not interpreted")]
    [InlineData("data.format=alpaca", "item 1: no 'instruction'")]
    public async Task Finetune_WhatIsWrong_SaysSoInOneLine(string setting, string message)
    {
        var run = await CommandRun.RunAsync([.. _command, "--set", setting]);
        run.ExitCode.ShouldBe(1);
        run.Output.ShouldBeEmpty();
        run.ErrorLines.Single(line => line.StartsWith("wisca: ", StringComparison.Ordinal)).ShouldContain(message);
    }

    [Fact]
    public async Task Finetune_PrintConfig_PrintsWhatReadsBack()
    {
        var run = await CommandRun.RunAsync([.. _command, "--print-config"]);
        run.ExitCode.ShouldBe(0, run.Error);
        File.WriteAllText(_folder["printed.yaml"], run.Output);
        FinetuneConfig.Load(_folder["printed.yaml"]).ToYaml(false).ShouldBe(FinetuneConfig.Load(_folder["run.yaml"]).ToYaml(false));
        (await CommandRun.RunAsync("finetune", "--print-config")).ExitCode.ShouldBe(0);
        Directory.Exists(_folder["run"]).ShouldBeFalse();
    }
}
