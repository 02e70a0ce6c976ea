using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Optimizers;

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
        double decay = decays ? _settings.WeightDecay : 0, learningRate = 1, kept = 1, epsilon = 1;
        for (int i = 0; i < _matchers.Length; i++)
        {
            if (!_matchers[i](name)) continue;
            _used[i] = true;
            var rule = _settings.Rules[i];
            decay = rule.WeightDecay ?? decay;
            learningRate *= rule.LearningRateMultiplier;
            epsilon *= rule.EpsilonMultiplier;
            if (rule.KeepDecay) kept *= rule.LearningRateMultiplier;
        }

        return new OptimizedParameter(name, parameter, learningRate, decay / kept, epsilon);
    }

    public void CheckUsed()
    {
        string[] unused = [.. _settings.Rules.Where((_, index) => !_used[index]).Select(rule => $"'{rule.Pattern}'")];
        if (unused.Length == 0) return;
        throw new WiscaException(
            $"no parameter matches the pattern {string.Join(" or ", unused)}", "patterns are whole parameter names with * for any characters, such as *.q_proj.weight");
    }

    private static void Check(ParameterRule rule)
    {
        string where = $"parameters '{rule.Pattern}': ";
        CheckNotNegative(where + "learning-rate multiplier", rule.LearningRateMultiplier);
        CheckNotNegative(where + "weight decay", rule.WeightDecay ?? 0);
        if (!(rule.EpsilonMultiplier > 0) || !double.IsFinite(rule.EpsilonMultiplier))
            throw new WiscaException($"{where}epsilon multiplier is {rule.EpsilonMultiplier}, expected a positive number");
        if (rule.KeepDecay && rule.LearningRateMultiplier == 0)
            throw new WiscaException($"{where}a learning-rate multiplier of 0 cannot keep the decay", "freeze the parameter without keeping the decay");
    }

    private static void CheckNotNegative(string what, double value)
    {
        if (!(value >= 0) || !double.IsFinite(value)) throw new WiscaException($"{what} is {value}, expected a number from 0");
    }
}
