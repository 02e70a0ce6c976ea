using Wisca.Optimizers;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training;

/// <summary>Makes what the configuration describes.</summary>
internal static class OptimizerFactory
{
    public static Optimizer Create(OptimizerSection section, IReadOnlyList<(string Name, Parameter Parameter)> parameters)
    {
        var settings = new ParameterSettings
        {
            WeightDecay = section.WeightDecay,
            DecayEmbeddings = section.DecayEmbeddings,
            Rules = [.. section.Multipliers.Select(multiplier => new ParameterRule(multiplier.Parameters) { LearningRateMultiplier = multiplier.LearningRate, KeepDecay = multiplier.KeepDecay })],
        };
        var (first, second) = section.BetasOrDefault;
        var adamW = new AdamWOptions { Beta1 = first, Beta2 = second, Epsilon = section.EpsilonOrDefault, Parameters = settings };
        return section.Name switch
        {
            OptimizerKind.AdamW => new AdamW(parameters, adamW),
            OptimizerKind.Sgd => new SgdMomentum(parameters, new SgdMomentumOptions { Momentum = section.MomentumOrDefault, DecoupledDecay = true, Parameters = settings }),
            OptimizerKind.Lion => new Lion(parameters, new LionOptions { Beta1 = first, Beta2 = second, Parameters = settings }),
            OptimizerKind.Muon => new Muon(parameters, new MuonOptions { Momentum = section.MomentumOrDefault, AdamW = adamW }),
            _ => throw new ArgumentOutOfRangeException(nameof(section), section.Name, null),
        };
    }

    public static LearningRateSchedule Schedule(TrainingConfig config)
    {
        var section = config.Schedule;
        double peak = config.Optimizer.LearningRate;
        int rest = config.Steps - section.Warmup;
        int decline = section.DecaySteps ?? (section.Name == ScheduleKind.WarmupStableDecay ? Math.Min(rest, Math.Max(1, config.Steps / 5)) : rest);
        return section.Name switch
        {
            ScheduleKind.Constant => LearningRateSchedule.Constant(peak, config.Steps, section.Warmup),
            ScheduleKind.WarmupStableDecay => LearningRateSchedule.WarmupStableDecay(peak, config.Steps, section.Warmup, decline, DecayShape.Linear, section.MinimumRatio),

            // The decline begins right after warm-up; where it ends before the run does, the rate stays at its least.
            ScheduleKind.Linear => LearningRateSchedule.Linear(peak, section.Warmup + decline, section.Warmup, section.MinimumRatio),
            _ => LearningRateSchedule.Cosine(peak, section.Warmup + decline, section.Warmup, section.MinimumRatio),
        };
    }
}
