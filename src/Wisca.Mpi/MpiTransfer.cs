using Wisca.Communication;

namespace Wisca.Mpi;

/// <summary>A request of MPI.</summary>
internal sealed class MpiTransfer(MpiCommunicator owner, nint request, string what) : ITransfer
{
    private nint _request = request;
    private bool _done;

    public bool Advance() => _done = _done || owner.Library.IsDone(ref _request);

    public void Wait() => owner.Wait(this, what, patient: false);
}
