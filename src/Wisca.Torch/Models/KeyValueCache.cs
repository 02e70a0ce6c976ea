using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// The keys and values that <see cref="Decoder.Next"/> has computed, so that each token passes the model once. The memory for all
/// positions is taken at the start. It holds for one value of <see cref="Decoder.ComputeType"/> and for unchanged weights.
/// </summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly DecoderConfig _config;
    private readonly Tensor[] _keys, _values;
    private readonly Tensor _ids;

    /// <summary>Takes memory for a model's keys and values: two tensors [sequences, kv heads, capacity, head dim] a layer, or, where they
    /// are projected from a latent, the latent and the key that heads share.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="capacity">The largest number of positions.</param>
    /// <param name="sequences">Number of sequences that are continued together.</param>
    public KeyValueCache(Decoder decoder, int capacity, int sequences = 1)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sequences, 1);
        _config = decoder.Config;
        Capacity = capacity;
        Sequences = sequences;
        var parameter = decoder.parameters().First();
        _ids = empty([sequences, capacity], int64, parameter.device).DetachFromDisposeScope();
        var (heads, first, second) = _config.Attention.Cached;
        _keys = [.. _config.Layers.Select(_ => Allocate(first))];
        _values = [.. _config.Layers.Select(_ => Allocate(second))];

        Tensor Allocate(int width) => empty([sequences, heads, capacity, width], decoder.ComputeType ?? parameter.dtype, parameter.device)
            .DetachFromDisposeScope();
    }

    /// <summary>The largest number of positions.</summary>
    public int Capacity { get; }

    /// <summary>Number of sequences.</summary>
    public int Sequences { get; }

    /// <summary>Number of positions that are cached.</summary>
    public int Length { get; private set; }

    /// <summary>Forgets every position.</summary>
    public void Clear() => Length = 0;

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values).Append(_ids)) tensor.Dispose();
    }

    internal void Check(Decoder decoder, Tensor ids)
    {
        if (!ReferenceEquals(decoder.Config, _config)) throw new ArgumentException("the cache was made for another model");
        if (ids.shape[0] != Sequences)
            throw new ArgumentException($"{ids.shape[0]} sequences, but the cache was made for {Sequences}", nameof(ids));
        if (Length + ids.shape[1] > Capacity)
            throw new WiscaException($"{Length + ids.shape[1]} positions, but the cache was made for {Capacity}", "make a larger cache");
    }

    /// <summary>Puts keys and values [B, G, T, d] of a layer behind those that are cached, and returns all of them.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values) =>
        (Append(_keys[layer], keys), Append(_values[layer], values));

    /// <summary>Counts ids [B, T] as cached, whose keys and values have been appended.</summary>
    internal void Advance(Tensor ids)
    {
        _ids.narrow(1, Length, ids.shape[1]).copy_(ids);
        Length += (int)ids.shape[1];
    }

    /// <summary>Forgets every position, and returns the ids that were cached with these behind them.</summary>
    internal Tensor Restart(Tensor ids)
    {
        var all = cat([_ids.narrow(1, 0, Length), ids], 1);
        Clear();
        return all;
    }

    private Tensor Append(Tensor all, Tensor added)
    {
        all.narrow(2, Length, added.shape[2]).copy_(added);
        return all.narrow(2, 0, Length + added.shape[2]);
    }
}
