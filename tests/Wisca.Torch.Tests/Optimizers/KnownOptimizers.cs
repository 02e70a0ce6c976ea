using Wisca.Torch.Optimizers;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Optimizers;

/// <summary>Every optimizer, by a name for test rows, and its reference.</summary>
internal static class KnownOptimizers
{
    public const double Beta1 = 0.9, Beta2 = 0.99, Epsilon = 1e-3;

    public static readonly string[] Elementwise = ["adamw", "sgd", "sgd-nesterov", "sgd-decoupled", "sgd-plain", "lion"];

    public static readonly string[] All = [.. Elementwise, "muon", "soap"];

    public static Optimizer Create(string name, IEnumerable<(string, Parameter)> parameters, ParameterSettings settings) => name switch
    {
        "adamw" => new AdamW(parameters, Adam(settings)),
        "lion" => new Lion(parameters, new LionOptions { Beta1 = Beta1, Beta2 = Beta2, Parameters = settings }),
        "muon" => new Muon(parameters, new MuonOptions { AdamW = Adam(settings) }),
        "soap" => new Soap(parameters, Soap(settings)),
        _ => new SgdMomentum(parameters, new SgdMomentumOptions
        {
            Momentum = name == "sgd-plain" ? 0 : Beta1,
            Nesterov = name == "sgd-nesterov",
            DecoupledDecay = name == "sgd-decoupled",
            Parameters = settings,
        }),
    };

    public static ReferenceOptimizer.Rule Rule(string name, double rate, double epsilon, double decay) => name switch
    {
        "adamw" => ReferenceOptimizer.AdamW(rate, Beta1, Beta2, epsilon, decay),
        "lion" => ReferenceOptimizer.Lion(rate, Beta1, Beta2, decay),
        _ => ReferenceOptimizer.Sgd(rate, name == "sgd-plain" ? 0 : Beta1, name == "sgd-nesterov", name == "sgd-decoupled", decay),
    };

    /// <summary>Bases that change twice within a few steps.</summary>
    public static SoapOptions Soap(ParameterSettings settings) =>
        new()
        {
            Beta1 = Beta1,
            Beta2 = Beta2,
            ShampooBeta = 0.8,
            Epsilon = Epsilon,
            Refresh = 3,
            Parameters = settings,
        };

    private static AdamWOptions Adam(ParameterSettings settings) =>
        new()
        {
            Beta1 = Beta1,
            Beta2 = Beta2,
            Epsilon = Epsilon,
            Parameters = settings,
        };
}
