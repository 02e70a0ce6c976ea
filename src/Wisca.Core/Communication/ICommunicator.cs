namespace Wisca.Communication;

/// <summary>
/// Processes that work on one thing, its ranks. All of them call the same methods in the same order. Only bytes move: sums are made by who
/// receives, in the order of the ranks, so that every rank has the same bits whatever moved them.
/// </summary>
public interface ICommunicator
{
    /// <summary>The number of this process, from 0.</summary>
    int Rank { get; }

    /// <summary>Number of processes.</summary>
    int Size { get; }

    /// <summary>The number of this process among those of its machine, from 0.</summary>
    int LocalRank { get; }

    /// <summary>Number of processes on this machine.</summary>
    int LocalSize { get; }

    /// <summary>How long a call waits for the other ranks before it fails.</summary>
    TimeSpan Timeout { get; set; }

    /// <summary>Waits until every rank has called it.</summary>
    /// <param name="patient">True to wait as long as it takes, where a rank has work to do that may last.</param>
    /// <exception cref="WiscaException">A rank is gone, or the wait took too long.</exception>
    void Barrier(bool patient = false);

    /// <summary>Gives the bytes of one rank to all.</summary>
    /// <param name="bytes">What is given; of the same length everywhere.</param>
    /// <param name="root">The rank that gives.</param>
    /// <exception cref="WiscaException">A rank is gone, or the wait took too long.</exception>
    void Broadcast(Span<byte> bytes, int root);

    /// <summary>Gives the bytes of every rank to all.</summary>
    /// <param name="own">The bytes of this rank; of the same length everywhere.</param>
    /// <param name="all">Receives those of all, in the order of the ranks.</param>
    /// <exception cref="WiscaException">A rank is gone, or the wait took too long.</exception>
    void Gather(ReadOnlySpan<byte> own, Span<byte> all);

    /// <summary>Sends bytes to a rank that calls <see cref="Receive"/>.</summary>
    /// <param name="bytes">What is sent.</param>
    /// <param name="receiver">The rank.</param>
    /// <exception cref="WiscaException">A rank is gone, or the wait took too long.</exception>
    void Send(ReadOnlySpan<byte> bytes, int receiver);

    /// <summary>Receives bytes from a rank that calls <see cref="Send"/>.</summary>
    /// <param name="bytes">As many as are sent.</param>
    /// <param name="sender">The rank.</param>
    /// <exception cref="WiscaException">A rank is gone, or the wait took too long.</exception>
    void Receive(Span<byte> bytes, int sender);

    /// <summary>Begins to give every rank its part of this rank's memory, and to receive this rank's part of theirs.</summary>
    /// <param name="own">Size parts of so many bytes; must stay until the transfer is done.</param>
    /// <param name="received">Room for as many; must stay until the transfer is done.</param>
    /// <param name="bytes">Bytes of a part.</param>
    ITransfer BeginExchange(nint own, nint received, int bytes);

    /// <summary>Begins to give the memory of every rank to all. Such transfers and those of <see cref="BeginExchange"/> are each begun in
    /// the same order everywhere, but not in the same order with each other.</summary>
    /// <param name="own">So many bytes; must stay until the transfer is done.</param>
    /// <param name="all">Room for those of all; must stay until the transfer is done.</param>
    /// <param name="bytes">Bytes of a rank.</param>
    ITransfer BeginGather(nint own, nint all, int bytes);
}
