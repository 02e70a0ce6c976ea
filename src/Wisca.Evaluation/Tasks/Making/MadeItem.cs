namespace Wisca.Evaluation.Tasks.Making;

/// <summary>A question that was made: one context with several continuations, or several contexts with one continuation.</summary>
/// <param name="Contexts">What the model reads; the first is the right one until they are shuffled.</param>
/// <param name="Continuations">How it goes on, likewise. Of one of the two there is one.</param>
internal sealed record MadeItem(IReadOnlyList<string> Contexts, IReadOnlyList<string> Continuations)
{
    /// <summary>A question whose choices are continuations.</summary>
    public MadeItem(string context, IReadOnlyList<string> continuations)
        : this([context], continuations)
    {
    }

    /// <summary>A question whose choices are contexts: how frequent the continuation is has no say in it.</summary>
    public MadeItem(IReadOnlyList<string> contexts, string continuation)
        : this(contexts, [continuation])
    {
    }

    /// <summary>The choices.</summary>
    public IReadOnlyList<string> Choices => Contexts.Count > 1 ? Contexts : Continuations;
}
