using System.Text.Json.Nodes;
using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Communication;
using Wisca.Data.Tokenizers;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Training.Configuration;
using static TorchSharp.torch;

namespace Wisca.Training;

/// <summary>Makes or reads the model of a run.</summary>
internal static class TrainingModel
{
    public static Decoder Prepare(TrainingConfig config, string? checkpoint, Tokenizer tokenizer, ICommunicator ranks)
    {
        TorchRuntime.Require();
        return Fit(
            (checkpoint ?? config.Model.From) is { } folder ? Load(folder) : Create(config, tokenizer), tokenizer,
            config.Data.SequenceLength, config.Precision, config.Device, ranks);
    }

    /// <summary>Reads a model.</summary>
    public static Decoder Load(string folder, ComputePrecision precision = ComputePrecision.F32)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return Decoder.Load(checkpoint, precision);
    }

    /// <summary>Brings a model to where it is to train; it is disposed of where it does not fit.</summary>
    public static Decoder Fit(
        Decoder model, Tokenizer tokenizer, int length, TrainingPrecision precision, string place, ICommunicator ranks)
    {
        try
        {
            var device = ComputeDevice.Find(place, ranks);
            if (model.Config.VocabularySize < tokenizer.VocabularySize)
            {
                throw new WiscaException(
                    $"the model has {model.Config.VocabularySize} tokens, its tokenizer {tokenizer.VocabularySize}",
                    "leave vocab_size out of model.config to take the tokenizer's, or name the tokenizer of the model");
            }

            if (model.Config.MaxPositions < length)
                throw new WiscaException(
                    $"data.sequence_length is {length}, but the model has {model.Config.MaxPositions} positions",
                    "take shorter sequences, or set max_position_embeddings");
            model.ComputeType = precision == TrainingPrecision.Bf16 ? ScalarType.BFloat16 : null;
            return device.type == DeviceType.CPU ? model : model.to(device);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static Decoder Create(TrainingConfig config, Tokenizer tokenizer) =>
        Decoder.Create(
            Describe(config, tokenizer.VocabularySize, tokenizer.EosId, tokenizer.BosId),
            (ulong)config.Seed,
            new InitializationOptions
            {
                StandardDeviation = config.Model.Initialization.StandardDeviation,
                ScalesResidual = config.Model.Initialization.ResidualScaling,
            });

    /// <summary>The new model of a run.</summary>
    public static DecoderConfig Describe(TrainingConfig config, int vocabulary, int? eosId, int? bosId)
    {
        var json = config.Model.Config switch
        {
            { Mapping: { } mapping } => (JsonObject)mapping.DeepClone(),
            { File: { } file } => JsonObject.Create(ModelConfig.Load(file).Root)!,
            _ => ModelSection.DefaultConfig(),
        };
        json.TryAdd("vocab_size", vocabulary);
        if (eosId is { } eos) json.TryAdd("eos_token_id", eos);
        if (bosId is { } bos) json.TryAdd("bos_token_id", bos);

        // Nothing is padded; where the key is absent, transformers has the family's own number, which a small vocabulary may not have.
        json.TryAdd("pad_token_id", null);
        return DecoderConfig.From(ModelConfig.Parse(json.ToJsonString()));
    }
}
