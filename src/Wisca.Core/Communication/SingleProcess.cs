namespace Wisca.Communication;

/// <summary>A process that works alone: the only rank.</summary>
public sealed class SingleProcess : ICommunicator
{
    /// <summary>The only one that is needed.</summary>
    public static SingleProcess Instance { get; } = new();

    private SingleProcess()
    {
    }

    /// <inheritdoc/>
    public int Rank => 0;

    /// <inheritdoc/>
    public int Size => 1;

    /// <inheritdoc/>
    public int LocalRank => 0;

    /// <inheritdoc/>
    public int LocalSize => 1;

    /// <inheritdoc/>
    public TimeSpan Timeout { get; set; } = System.Threading.Timeout.InfiniteTimeSpan;

    /// <inheritdoc/>
    public void Barrier(bool patient = false)
    {
    }

    /// <inheritdoc/>
    public void Broadcast(Span<byte> bytes, int root)
    {
    }

    /// <inheritdoc/>
    public void Gather(ReadOnlySpan<byte> own, Span<byte> all) => own.CopyTo(all);

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> bytes, int receiver) => throw new NotSupportedException("there is no other rank");

    /// <inheritdoc/>
    public void Receive(Span<byte> bytes, int sender) => throw new NotSupportedException("there is no other rank");

    /// <inheritdoc/>
    public ITransfer BeginExchange(nint own, nint received, int bytes) => throw new NotSupportedException("there is no other rank");

    /// <inheritdoc/>
    public ITransfer BeginGather(nint own, nint all, int bytes) => throw new NotSupportedException("there is no other rank");
}
