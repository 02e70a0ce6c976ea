using System.Globalization;
using Wisca.Adapters;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Proofs;

/// <summary>Shows that two checkpoints are the same function by running both on the same tokens.</summary>
public static class ForwardProof
{
    /// <summary>The default of <see cref="ForwardProofOptions.WindowLength"/>.</summary>
    public const int DefaultWindow = 512;

    // How often weights are moved, and the most positions at which that is measured: it takes as long as running B so often on these.
    private const int Draws = 8, NoisePositions = 256;

    // The share of the memory that two models in float64 may take: nothing is lost where they are not judged there.
    private const double SharpeningShare = 0.8;

    /// <summary>
    /// Runs A and B, window by window, and compares every logit. Logits that are not bit-identical are equal where they differ by no more
    /// than some times what the rounding of weights does to this model on these tokens, which is measured.
    /// </summary>
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
            long[] ids = [.. tokens];
            var run = new Run(a, b, ids, window, options.Adapter, progress, cancellation);
            bool sharpen = options is { Precision: ComputePrecision.F32, Sharpen: true }
                && Needed(a, b, ComputePrecision.F64) <= SharpeningShare * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            return run.Compare(options.Precision, untilDifferent: sharpen) ?? run.Compare(ComputePrecision.F64, untilDifferent: false)!;
        }
        finally
        {
            TorchRuntime.Threads = threads;
        }
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
        double needed = Needed(a, b, precision);
        if (needed <= available) return;
        throw new WiscaException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"the two models take {needed / 1e9:0.0} GB in this precision, the machine has {available / 1e9:0.0} GB"),
            "compute in the stored type, or rely on the certificate, which needs no forward pass");
    }

    private static double Needed(Checkpoint a, Checkpoint b, ComputePrecision precision)
    {
        return Bytes(a) + Bytes(b);

        double Bytes(Checkpoint checkpoint) => precision switch
        {
            ComputePrecision.F32 => 4.0 * checkpoint.ParameterCount,
            ComputePrecision.F64 => 8.0 * checkpoint.ParameterCount,
            _ => checkpoint.Tensors.Sum(tensor => (double)tensor.Info.ByteLength),
        };
    }

    /// <summary>Both models on all the tokens, as often as it takes.</summary>
    private sealed class Run(
        Checkpoint a, Checkpoint b, long[] ids, int window, AdapterBinding? adapter, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        /// <summary>Runs both in a precision.</summary>
        /// <param name="precision">The precision.</param>
        /// <param name="untilDifferent">True to stop where the logits are finite and not the same bits.</param>
        /// <returns>The report; null where it stopped.</returns>
        public ForwardProofReport? Compare(ComputePrecision precision, bool untilDifferent)
        {
            using Decoder modelA = Decoder.Load(a, precision, out var storedA), modelB = Decoder.Load(b, precision, out var storedB);
            using var attached = adapter is null ? null : LoraModel.Load(modelA, adapter);
            var written = attached?.Modules.Select(module => module + ".weight").ToHashSet(StringComparer.Ordinal) ?? [];
            var comparison = new LogitComparison(routed: modelA.Config.Layers.Any(layer => layer.Mixture is not null));
            bool measured = false;
            for (int begin = 0; begin < ids.Length - 1; begin += window)
            {
                int end = Math.Min(begin + window, ids.Length);
                using var scope = NewDisposeScope();
                using var pair = new WindowPair(
                    modelA, modelB, ids[begin..Math.Min(end + 1, ids.Length)], end - begin, cancellation);
                double[] differences = pair.Compare(comparison);
                if (measured) comparison.AddLater(differences);
                else if (!comparison.Identical && comparison.Finite)
                {
                    if (untilDifferent) return null;
                    var rounding = new WeightRounding(modelA, storedA, modelB, storedB, written);
                    comparison.AddNoise(differences, pair.Noise(rounding, Draws, NoisePositions));
                    measured = true;
                }

                progress?.Report(end / (double)ids.Length);
            }

            return comparison.ToReport(ids.Length, precision.Name());
        }
    }
}
