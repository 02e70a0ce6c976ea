namespace Wisca.Torch.Models;

/// <summary>What may differ from layer to layer.</summary>
/// <param name="Window">How many positions a query sees, its own included; null for all before it.</param>
/// <param name="Rope">Rotary position embeddings; null for none.</param>
/// <param name="Mixture">Set where the feed-forward part is several of them behind a router.</param>
public sealed record LayerConfig(int? Window, RopeConfig? Rope, MixtureConfig? Mixture = null);
