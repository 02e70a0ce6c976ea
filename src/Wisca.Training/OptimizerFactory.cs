using Wisca.Torch.Optimizers;
using Wisca.Training.Configuration;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training;

/// <summary>Makes what the configuration describes.</summary>
internal static class OptimizerFactory
{
    public static Optimizer Create(OptimizerSection section, IReadOnlyList<(string Name, Parameter Parameter)> parameters)
    {
        var settings = section.ParameterSettings;
        var (first, second) = section.BetasOrDefault;
        var adamW = new AdamWOptions { Beta1 = first, Beta2 = second, Epsilon = section.EpsilonOrDefault, Parameters = settings };
        return section.Name switch
        {
            OptimizerKind.AdamW => new AdamW(parameters, adamW),
            OptimizerKind.Sgd => new SgdMomentum(
                parameters,
                new SgdMomentumOptions
                {
                    Momentum = section.MomentumOrDefault,
                    DecoupledDecay = true,
                    Parameters = settings,
                }),
            OptimizerKind.Lion => new Lion(parameters, new LionOptions { Beta1 = first, Beta2 = second, Parameters = settings }),
            OptimizerKind.Muon => new Muon(parameters, new MuonOptions { Momentum = section.MomentumOrDefault, AdamW = adamW }),
            OptimizerKind.Soap => new Soap(
                parameters,
                new SoapOptions
                {
                    Beta1 = first,
                    Beta2 = second,
                    ShampooBeta = section.ShampooBeta,
                    Epsilon = section.EpsilonOrDefault,
                    Refresh = section.RefreshOrDefault,
                    MaxDimension = section.MaxDimensionOrDefault,
                    Parameters = settings,
                }),
            _ => throw new ArgumentOutOfRangeException(nameof(section), section.Name, null),
        };
    }

    public static LearningRateSchedule Schedule(RunConfig config, int steps) => new(config.Optimizer.LearningRate, steps)
    {
        WarmupSteps = config.Schedule.WarmupOf(steps),
        DecaySteps = config.Schedule.DecayStepsOf(steps),
        Shape = config.Schedule.Name == ScheduleKind.Cosine ? DecayShape.Cosine : DecayShape.Linear,
        MinimumRatio = config.Schedule.MinimumRatio,
    };
}
