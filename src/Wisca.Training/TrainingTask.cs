using Wisca.Training.Batches;

namespace Wisca.Training;

/// <summary>What a run trains, on what, and for how long.</summary>
/// <param name="Trainee">What it trains.</param>
/// <param name="Data">What it trains on.</param>
/// <param name="Steps">Number of steps.</param>
internal sealed record TrainingTask(Trainee Trainee, TrainingData Data, int Steps) : IDisposable
{
    /// <summary>Makes a trainee for data, which it owns from then on.</summary>
    public static TrainingTask Of<TData>(TData data, Func<TData, Trainee> make, int steps)
        where TData : TrainingData
    {
        try
        {
            return new TrainingTask(make(data), data, steps);
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Trainee.Dispose();
        Data.Dispose();
    }
}
