namespace Wisca.Torch.Transitions;

/// <summary>A norm on the residual stream, with all that reads behind it.</summary>
/// <param name="Name">The norm's module; its gain is <c>weight</c>, its bias, if there is one, <c>bias</c>.</param>
/// <param name="Readers">The projections that read behind it, [any, hidden]. An embedding among them is a tied output projection.</param>
public sealed record StreamNorm(string Name, IReadOnlyList<string> Readers)
{
    /// <summary>True where it takes the mean away (LayerNorm): then rotations keep the vector of ones.</summary>
    public bool TakesMean { get; init; }

    /// <summary>True where the gain is 1 plus what is stored, as in Gemma.</summary>
    public bool AddsOne { get; init; }
}
