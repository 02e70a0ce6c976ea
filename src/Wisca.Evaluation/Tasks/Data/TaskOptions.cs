namespace Wisca.Evaluation.Tasks.Data;

/// <summary>How tasks are run.</summary>
public sealed record TaskOptions
{
    /// <summary>Number of few-shot examples; null for what each task says. A task that says 0 stays at 0.</summary>
    public int? Fewshot { get; init; }

    /// <summary>Evaluate the first so many documents of each task; null for all.</summary>
    public long? Limit { get; init; }

    /// <summary>Seed of the draw of few-shot examples.</summary>
    public int FewshotSeed { get; init; } = 1234;

    /// <summary>Number of resamples that the standard error of a perplexity is estimated from; 0 for no standard errors at all.</summary>
    public int BootstrapIterations { get; init; } = 100_000;

    /// <summary>Threads of the bootstrap.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}
