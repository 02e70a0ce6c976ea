using System.Globalization;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Generation;

/// <summary>Continues a text token by token.</summary>
public static class TokenGenerator
{
    /// <summary>Tokens that follow a prompt, each as soon as it is chosen.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">At least one id of its vocabulary.</param>
    /// <param name="count">The largest number of tokens.</param>
    /// <param name="options">How tokens are chosen; null for the defaults.</param>
    /// <param name="stops">Ends before the first of these; null for none.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <exception cref="WiscaException">The prompt is empty or not of the vocabulary,
    /// or prompt and tokens exceed the model's positions.</exception>
    public static IEnumerable<int> Generate(
        Decoder decoder,
        IReadOnlyList<int> prompt,
        int count,
        SamplingOptions? options = null,
        IReadOnlySet<int>? stops = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var sampler = new TokenSampler(options ?? new SamplingOptions());
        if (prompt.Count == 0)
            throw new WiscaException("the prompt has no tokens", "begin with a word, or with the token that begins a text");
        foreach (int id in prompt)
        {
            if (id < 0 || id >= decoder.Config.VocabularySize)
                throw new WiscaException(
                    $"token {id} is not below the model's vocabulary of {decoder.Config.VocabularySize}",
                    "the tokenizer belongs to another model");
        }

        if (prompt.Count + (long)count > decoder.Config.MaxPositions)
        {
            throw new WiscaException(
                $"{prompt.Count} tokens of prompt and {count} to follow, "
                + $"but the model was made for {decoder.Config.MaxPositions} positions",
                prompt.Count < decoder.Config.MaxPositions
                    ? $"ask for at most {decoder.Config.MaxPositions - prompt.Count} tokens"
                    : "give a shorter prompt");
        }

        foreach (int id in prompt) sampler.Saw(id);
        return Continue(decoder, [.. prompt], count, sampler, stops, cancellation);
    }

    private static IEnumerable<int> Continue(
        Decoder decoder, long[] ids, int count, TokenSampler sampler, IReadOnlySet<int>? stops, CancellationToken cancellation)
    {
        if (count == 0) yield break;
        using var cache = new KeyValueCache(decoder, ids.Length + count);
        for (int i = 0; i < count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            float[] logits = Logits(decoder, ids, cache);
            if (logits.Any(logit => float.IsNaN(logit) || float.IsPositiveInfinity(logit)))
                throw decoder.NotFinite(string.Create(CultureInfo.InvariantCulture, $"the logits of token {i + 1} behind the prompt"));
            int token = sampler.Next(logits);
            if (stops is not null && stops.Contains(token)) yield break;
            yield return token;
            sampler.Saw(token);
            ids = [token];
        }
    }

    // A method of its own: a dispose scope must not stay open while the caller has the token.
    private static float[] Logits(Decoder decoder, long[] ids, KeyValueCache cache)
    {
        using var scope = NewDisposeScope();
        var input = tensor(ids, device: decoder.Device).unsqueeze(0);
        return decoder.Next(input, cache).to(ScalarType.Float32, CPU).data<float>().ToArray();
    }
}
