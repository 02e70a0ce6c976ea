namespace Wisca.Torch.Models;

/// <summary>
/// Attention of which keys and values are projected from one narrow vector a position, the latent (DeepSeek-AI, DeepSeek-V2, 2024). Each
/// head's queries and keys have channels without RoPE and, behind them, channels with it; the rotated key is one for all heads.
/// </summary>
/// <param name="QueryRank">Width of the latent of queries; null where they are projected from the residual stream.</param>
/// <param name="Rank">Width of the latent of keys and values.</param>
/// <param name="PlainDim">Channels per head of queries and keys that RoPE does not turn.</param>
/// <param name="RotaryDim">Channels per head that it turns.</param>
/// <param name="ValueDim">Channels per head of values.</param>
public sealed record LatentConfig(int? QueryRank, int Rank, int PlainDim, int RotaryDim, int ValueDim);
