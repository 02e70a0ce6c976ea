using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>Finds each parameter's settings, and which rules were of use.</summary>
internal sealed class ParameterGroups
{
    private readonly ParameterSettings _settings;
    private readonly Func<string, bool>[] _matchers, _embeddings;
    private readonly bool[] _used;

    public ParameterGroups(ParameterSettings settings)
    {
        _settings = settings;
        CheckNotNegative("weight decay", settings.WeightDecay);
        foreach (var rule in settings.Rules) Check(rule);
        _matchers = [.. settings.Rules.Select(rule => NamePattern.Matcher(rule.Pattern))];
        _embeddings = [.. settings.EmbeddingPatterns.Select(NamePattern.Matcher)];
        _used = new bool[_matchers.Length];
    }

    public OptimizedParameter Resolve(string name, Parameter parameter)
    {
        bool decays = parameter.dim() >= 2 && (_settings.DecayEmbeddings || !_embeddings.Any(matches => matches(name)));
        double common = decays ? _settings.WeightDecay : 0;
        var rules = new List<ParameterRule>();
        for (int i = 0; i < _matchers.Length; i++)
        {
            if (!_matchers[i](name)) continue;
            _used[i] = true;
            rules.Add(_settings.Rules[i]);
        }

        var (learningRate, decay, epsilon) = Combine(rules.Where(rule => rule.Part is null), common);
        return new OptimizedParameter(name, parameter, learningRate, decay, epsilon) { Parts = Parts(name, parameter, rules, common) };
    }

    public void CheckUsed()
    {
        string[] unused = [.. _settings.Rules.Where((_, index) => !_used[index]).Select(rule => $"'{rule.Pattern}'")];
        if (unused.Length == 0) return;
        throw new WiscaException(
            $"no parameter matches the pattern {string.Join(" or ", unused)}",
            "patterns are whole parameter names with * for any characters, such as *.q_proj.weight");
    }

    private static (double LearningRate, double Decay, double Epsilon) Combine(IEnumerable<ParameterRule> rules, double decay)
    {
        double learningRate = 1, kept = 1, epsilon = 1;
        foreach (var rule in rules)
        {
            decay = rule.WeightDecay ?? decay;
            learningRate *= rule.LearningRateMultiplier;
            epsilon *= rule.EpsilonMultiplier;
            if (rule.KeepDecay) kept *= rule.LearningRateMultiplier;
        }

        return (learningRate, decay / kept, epsilon);
    }

    private static IReadOnlyList<PartSettings> Parts(string name, Parameter parameter, List<ParameterRule> rules, double decay)
    {
        int[] counts = [.. rules.Select(rule => rule.Part?.Of).OfType<int>().Distinct()];
        if (counts.Length == 0) return [];
        long length = parameter.dim() == 0 ? 1 : parameter.shape[^1];
        if (counts is not [var count] || length % count != 0)
            throw new WiscaException(
                $"{name}: its last axis of {length} is parted by {string.Join(" and ", counts)}, expected one number of equal parts",
                "part 3/3 means the last of three equal parts");
        return
        [
            .. Enumerable.Range(0, count).Select(index =>
            {
                var (rate, part, epsilon) = Combine(rules.Where(rule => rule.Part is null || rule.Part.Value.Number == index + 1), decay);
                return new PartSettings(index * (length / count), length / count, rate, part, epsilon);
            }),
        ];
    }

    private static void Check(ParameterRule rule)
    {
        string where = $"parameters '{rule.Pattern}': ";
        CheckNotNegative(where + "learning-rate multiplier", rule.LearningRateMultiplier);
        CheckNotNegative(where + "weight decay", rule.WeightDecay ?? 0);
        if (!(rule.EpsilonMultiplier > 0) || !double.IsFinite(rule.EpsilonMultiplier))
            throw new WiscaException($"{where}epsilon multiplier is {rule.EpsilonMultiplier}, expected a positive number");
        if (rule.Part is { } part && (part.Number < 1 || part.Number > part.Of))
            throw new WiscaException($"{where}part {part.Number} of {part.Of}, expected one from 1");
        if (rule.KeepDecay && rule.LearningRateMultiplier == 0)
            throw new WiscaException(
                $"{where}a learning-rate multiplier of 0 cannot keep the decay",
                "freeze the parameter without keeping the decay");
    }

    private static void CheckNotNegative(string what, double value)
    {
        if (!(value >= 0) || !double.IsFinite(value)) throw new WiscaException($"{what} is {value}, expected a number from 0");
    }
}
