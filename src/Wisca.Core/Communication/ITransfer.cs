namespace Wisca.Communication;

/// <summary>Bytes on their way between ranks, while the program goes on.</summary>
public interface ITransfer
{
    /// <summary>Lets the bytes move on; true when all are there.</summary>
    /// <exception cref="WiscaException">The transfer failed.</exception>
    bool Advance();

    /// <summary>Waits until all are there.</summary>
    /// <exception cref="WiscaException">The transfer failed, or took longer than <see cref="ICommunicator.Timeout"/>.</exception>
    void Wait();
}
