using System.Globalization;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Studies;

/// <summary>A run of a study.</summary>
/// <param name="Id">Hash of all that it computes; runs that compute the same have the same.</param>
/// <param name="Regime">Name of the regime.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Arm">Name of the arm.</param>
/// <param name="Seed">The seed.</param>
/// <param name="LearningRate">The learning rate after warm-up.</param>
/// <param name="Config">The whole configuration, but for where it is written.</param>
public sealed record PlannedRun(string Id, string Regime, string Model, string Arm, long Seed, double LearningRate, RunConfig Config)
{
    /// <summary>What people call it.</summary>
    public string Label => string.Create(CultureInfo.InvariantCulture, $"{Regime}/{Model}/{Arm} lr {LearningRate:0.##e+0} seed {Seed}");
}
