using System.Globalization;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Proofs;

/// <summary>Shows that two checkpoints are the same function by running both on the same tokens.</summary>
public static class ForwardProof
{
    /// <summary>The default of <see cref="ForwardProofOptions.WindowLength"/>.</summary>
    public const int DefaultWindow = 512;

    // Logits compared at a time; they are then held in float64, several times.
    private const int ComparedLogits = 1 << 22;

    /// <summary>Runs A and B, window by window, and compares every logit.</summary>
    /// <param name="a">The model as it was.</param>
    /// <param name="b">The model it is compared to.</param>
    /// <param name="tokens">At least two ids of the models' vocabulary.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told the share that is done, 0 to 1.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">
    /// A family has no forward pass here, a checkpoint is broken, the vocabularies differ, the tokens do not fit them, the models do not
    /// fit into memory, or libtorch does not load.
    /// </exception>
    public static ForwardProofReport Compare(
        Checkpoint a,
        Checkpoint b,
        IReadOnlyList<int> tokens,
        ForwardProofOptions? options = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(tokens);
        options ??= new ForwardProofOptions();
        int window = Check(a, b, tokens, options);

        TorchRuntime.Require();
        int threads = TorchRuntime.Threads;
        TorchRuntime.Threads = options.Threads;
        try
        {
            using var ungraded = no_grad();
            using Decoder modelA = Decoder.Load(a, options.Precision), modelB = Decoder.Load(b, options.Precision);
            using var attached = options.Adapter is null ? null : LoraModel.Load(modelA, options.Adapter);
            long[] ids = [.. tokens];
            var comparison = new LogitComparison();
            for (int begin = 0; begin < ids.Length - 1; begin += window)
            {
                int end = Math.Min(begin + window, ids.Length);
                CompareWindow(modelA, modelB, ids[begin..Math.Min(end + 1, ids.Length)], end - begin, comparison, cancellation);
                progress?.Report(end / (double)ids.Length);
            }

            return comparison.ToReport(ids.Length, RelativeTolerance(a, b));
        }
        finally
        {
            TorchRuntime.Threads = threads;
        }
    }

    /// <summary>
    /// The largest difference between logits, relative to the largest logit, that rounded weights explain. What counts is the coarsest type
    /// that weights are stored in, whatever they are computed in, since a factor that is no power of two rounds each weight once: 1e-5 from
    /// 24 significand bits on, else 8 x 2^-p.
    /// </summary>
    private static double RelativeTolerance(Checkpoint a, Checkpoint b)
    {
        int bits = a
            .Tensors.Concat(b.Tensors)
            .Where(tensor => tensor.Info.Dtype.IsRescalable())
            .Min(tensor => tensor.Info.Dtype.SignificandBits());
        return bits >= 24 ? 1e-5 : 8 * Math.ScaleB(1, -bits);
    }

    /// <summary>Checks what can be checked before libtorch is loaded.</summary>
    /// <returns>The window's length.</returns>
    private static int Check(Checkpoint a, Checkpoint b, IReadOnlyList<int> tokens, ForwardProofOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1, nameof(options));
        DecoderConfig configA = DecoderConfig.From(a.Config), configB = DecoderConfig.From(b.Config);
        int vocabulary = configA.VocabularySize;
        if (configB.VocabularySize != vocabulary)
        {
            throw new WiscaException(
                $"{a.Folder} has {vocabulary} tokens, {b.Folder} {configB.VocabularySize}",
                "only models of one vocabulary can be compared");
        }

        if (tokens.Count < 2) throw new WiscaException($"{tokens.Count} tokens are too few to predict one from another", "give at least 2");
        for (int i = 0; i < tokens.Count; i++)
        {
            if (tokens[i] >= 0 && tokens[i] < vocabulary) continue;
            throw new WiscaException(
                $"token {tokens[i]} at position {i} is not below the model's vocabulary of {vocabulary}",
                "the tokenizer belongs to another model");
        }

        int longest = Math.Min(configA.MaxPositions, configB.MaxPositions);
        if (options.WindowLength is { } asked && (asked < 1 || asked > longest))
            throw new WiscaException($"a window of {asked} tokens, but the models were made for 1 to {longest}", "give a shorter window");
        CheckMemory(a, b, options.Precision, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        return options.WindowLength ?? Math.Min(DefaultWindow, longest);
    }

    /// <summary>Refuses what would end in the kernel's killing the process.</summary>
    internal static void CheckMemory(Checkpoint a, Checkpoint b, ComputePrecision precision, double available)
    {
        double needed = Bytes(a) + Bytes(b);
        if (needed <= available) return;
        throw new WiscaException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"the two models take {needed / 1e9:0.0} GB in this precision, the machine has {available / 1e9:0.0} GB"),
            "compute in the stored type, or rely on the certificate, which needs no forward pass");

        double Bytes(Checkpoint checkpoint) => precision switch
        {
            ComputePrecision.F32 => 4.0 * checkpoint.ParameterCount,
            ComputePrecision.F64 => 8.0 * checkpoint.ParameterCount,
            _ => checkpoint.Tensors.Sum(tensor => (double)tensor.Info.ByteLength),
        };
    }

    /// <summary>
    /// One window. Only the hidden states of both models are whole; the logits, which are as many times wider as the vocabulary is, come
    /// a few positions at a time.
    /// </summary>
    /// <param name="modelA">A.</param>
    /// <param name="modelB">B.</param>
    /// <param name="tokens">The window, and the token behind it where there is one.</param>
    /// <param name="count">Number of tokens in the window.</param>
    /// <param name="comparison">Where the results go.</param>
    /// <param name="cancellation">Stops it.</param>
    private static void CompareWindow(
        Decoder modelA, Decoder modelB, long[] tokens, int count, LogitComparison comparison, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var ids = tensor(tokens);
        var input = ids.narrow(0, 0, count).unsqueeze(0);
        Tensor hiddenA = modelA.Hidden(input, cancellation), hiddenB = modelB.Hidden(input, cancellation);
        int rows = Math.Max(1, ComparedLogits / modelA.Config.VocabularySize);
        for (int begin = 0; begin < count; begin += rows)
        {
            cancellation.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            int length = Math.Min(rows, count - begin), targets = Math.Min(length, tokens.Length - 1 - begin);
            comparison.Add(
                modelA.Logits(hiddenA.narrow(1, begin, length)).squeeze(0),
                modelB.Logits(hiddenB.narrow(1, begin, length)).squeeze(0),
                ids.narrow(0, begin + 1, targets));
        }
    }
}
