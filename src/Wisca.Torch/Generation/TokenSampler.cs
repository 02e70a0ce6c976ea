using Wisca.Numerics;

namespace Wisca.Torch.Generation;

/// <summary>Draws tokens from logits. The same seed and logits give the same tokens on every machine.</summary>
internal sealed class TokenSampler
{
    private readonly SamplingOptions _options;
    private readonly HashSet<int> _seen = [];
    private ulong _state;

    /// <summary>Starts a sequence of draws.</summary>
    /// <exception cref="WiscaException">An option is out of range.</exception>
    public TokenSampler(SamplingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!double.IsFinite(options.Temperature) || options.Temperature < 0)
            throw new WiscaException(
                $"a temperature of {options.Temperature}, expected a number from 0",
                "0 takes the most probable token, 1 samples from the model as it is");
        if (options.TopK < 1)
            throw new WiscaException($"top-k is {options.TopK}, expected at least 1", "leave it out to draw from all tokens");
        if (options.TopP is { } share && !(share > 0 && share <= 1))
            throw new WiscaException($"top-p is {share}, expected more than 0 and at most 1", "leave it out to draw from all tokens");
        if (options.MinP is { } least && !(least >= 0 && least <= 1))
            throw new WiscaException($"min-p is {least}, expected 0 to 1", "leave it out to draw from all tokens");
        if (!double.IsFinite(options.RepetitionPenalty) || options.RepetitionPenalty <= 0)
            throw new WiscaException(
                $"a repetition penalty of {options.RepetitionPenalty}, expected a number above 0",
                "1 changes nothing, more than 1 makes repetitions rarer");
        _options = options;
        _state = options.Seed;
    }

    /// <summary>Says that the text has a token: those that are chosen are not taken for granted.</summary>
    public void Saw(int token) => _seen.Add(token);

    /// <summary>Chooses a token; of tokens with equal logits the lower id counts as the more probable.</summary>
    /// <param name="logits">One for each token of the vocabulary.</param>
    /// <exception cref="WiscaException">No logit is a finite number.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (_options.RepetitionPenalty != 1) logits = Penalised(logits);
        int best = 0;
        for (int token = 1; token < logits.Length; token++)
        {
            if (logits[token] > logits[best] || float.IsNaN(logits[best])) best = token;
        }

        if (logits.IsEmpty || !float.IsFinite(logits[best]))
            throw new WiscaException("the model's logits are not finite", "its weights are broken, or it overflows in this precision");
        if (_options.Temperature == 0) return best;

        double[] weights = new double[logits.Length];
        int[] order = new int[logits.Length];
        for (int token = 0; token < logits.Length; token++)
        {
            order[token] = token;
            double exponent = ((double)logits[token] - logits[best]) / _options.Temperature;
            weights[token] = double.IsNaN(exponent) ? 0 : Math.Exp(exponent);
        }

        if (_options is { TopK: null, TopP: null, MinP: null }) return Draw(order, weights);
        Array.Sort(order, (a, b) => weights[b].CompareTo(weights[a]) is not 0 and var unequal ? unequal : a.CompareTo(b));
        int kept = Math.Min(_options.TopK ?? order.Length, order.Length);
        kept = Nucleus(order.AsSpan(0, kept), weights);

        // The most probable token has the weight 1.
        while (kept > 1 && weights[order[kept - 1]] < _options.MinP) kept--;
        return Draw(order.AsSpan(0, kept), weights);
    }

    private float[] Penalised(ReadOnlySpan<float> logits)
    {
        float[] penalised = logits.ToArray();
        float penalty = (float)_options.RepetitionPenalty;
        foreach (int token in _seen)
        {
            if (token < penalised.Length) penalised[token] = penalised[token] < 0 ? penalised[token] * penalty : penalised[token] / penalty;
        }

        return penalised;
    }

    private int Nucleus(ReadOnlySpan<int> order, double[] weights)
    {
        if (_options.TopP is not { } share) return order.Length;
        double needed = share * Sum(order, weights), reached = 0;
        int count = 0;
        while (count < order.Length && reached < needed) reached += weights[order[count++]];
        return count;
    }

    private int Draw(ReadOnlySpan<int> tokens, double[] weights)
    {
        double left = ProbeGenerator.Uniform(ref _state) * Sum(tokens, weights);
        int last = tokens[0];
        foreach (int token in tokens)
        {
            if (weights[token] == 0) continue;
            last = token;
            left -= weights[token];
            if (left <= 0) break;
        }

        return last;
    }

    private static double Sum(ReadOnlySpan<int> tokens, double[] weights)
    {
        double sum = 0;
        foreach (int token in tokens) sum += weights[token];
        return sum;
    }
}
