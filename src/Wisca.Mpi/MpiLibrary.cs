using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Wisca.Mpi;

/// <summary>
/// The functions of an MPI library, of either binary interface: Open MPI's handles are addresses of exported objects, those of MPICH (and
/// of Intel's, MVAPICH's and Cray's libraries) are numbers. Both fit a pointer. Nothing is loaded before the constructor is called.
/// </summary>
internal sealed unsafe class MpiLibrary
{
    private static readonly string[] OpenMpiNames = ["libmpi.so.40", "libmpi.so.80", "libmpi.40.dylib", "libmpi.so"],
        MpichNames = ["libmpich.so.12", "libmpi.so.12", "libmpich.so", "libmpi.12.dylib", "libmpi.so"];

    private readonly nint _handle;
    private readonly delegate* unmanaged[Cdecl]<int*, byte***, int, int*, int> _initialize;
    private readonly delegate* unmanaged[Cdecl]<nint, int*, int> _rank, _size;
    private readonly delegate* unmanaged[Cdecl]<nint, nint*, int> _duplicate;
    private readonly delegate* unmanaged[Cdecl]<nint, nint, int> _setErrorHandler;
    private readonly delegate* unmanaged[Cdecl]<void*, int, nint, int, nint, nint*, int> _broadcast;
    private readonly delegate* unmanaged[Cdecl]<void*, int, nint, void*, int, nint, nint, nint*, int> _gather, _exchange;
    private readonly delegate* unmanaged[Cdecl]<void*, int, nint, int, int, nint, nint*, int> _send, _receive;
    private readonly delegate* unmanaged[Cdecl]<nint, nint*, int> _barrier;
    private readonly delegate* unmanaged[Cdecl]<nint*, int*, void*, int> _test;
    private readonly delegate* unmanaged[Cdecl]<int, byte*, int*, int> _errorText;
    private readonly delegate* unmanaged[Cdecl]<nint, int, int> _abort;
    private readonly delegate* unmanaged[Cdecl]<int> _finalize;
    private readonly delegate* unmanaged[Cdecl]<byte*, int*, int> _version;

    /// <summary>Loads the library.</summary>
    /// <param name="launch">What started this process; decides which library is looked for first.</param>
    /// <exception cref="WiscaException">None loads.</exception>
    public MpiLibrary(MpiLaunch launch)
    {
        string[] names = launch.Library is { } named ? [named] : launch.IsOpenMpi ? OpenMpiNames : MpichNames;
        (_handle, string? reason) = Load(names);
        if (_handle == 0)
            throw new WiscaException(
                $"{launch.Launcher} started {launch.Size} ranks, but no MPI library loads ({reason ?? string.Join(", ", names)})",
                $"install the one that belongs to it ({(launch.IsOpenMpi ? "libopenmpi3" : "libmpich12")}), or name it: "
                + $"{MpiLaunch.LibraryVariable}=/path/to/libmpi.so");
        IsOpenMpi = NativeLibrary.TryGetExport(_handle, "ompi_mpi_comm_world", out nint world);
        World = IsOpenMpi ? world : 0x44000000;
        Byte = IsOpenMpi ? Export("ompi_mpi_byte") : 0x4c00010d;
        ErrorsReturn = IsOpenMpi ? Export("ompi_mpi_errors_return") : 0x54000001;
        StatusIgnored = IsOpenMpi ? null : (void*)1;
        _initialize = (delegate* unmanaged[Cdecl]<int*, byte***, int, int*, int>)Export("MPI_Init_thread");
        _rank = (delegate* unmanaged[Cdecl]<nint, int*, int>)Export("MPI_Comm_rank");
        _size = (delegate* unmanaged[Cdecl]<nint, int*, int>)Export("MPI_Comm_size");
        _duplicate = (delegate* unmanaged[Cdecl]<nint, nint*, int>)Export("MPI_Comm_dup");
        _setErrorHandler = (delegate* unmanaged[Cdecl]<nint, nint, int>)Export("MPI_Comm_set_errhandler");
        _broadcast = (delegate* unmanaged[Cdecl]<void*, int, nint, int, nint, nint*, int>)Export("MPI_Ibcast");
        _gather = (delegate* unmanaged[Cdecl]<void*, int, nint, void*, int, nint, nint, nint*, int>)Export("MPI_Iallgather");
        _exchange = (delegate* unmanaged[Cdecl]<void*, int, nint, void*, int, nint, nint, nint*, int>)Export("MPI_Ialltoall");
        _send = (delegate* unmanaged[Cdecl]<void*, int, nint, int, int, nint, nint*, int>)Export("MPI_Isend");
        _receive = (delegate* unmanaged[Cdecl]<void*, int, nint, int, int, nint, nint*, int>)Export("MPI_Irecv");
        _barrier = (delegate* unmanaged[Cdecl]<nint, nint*, int>)Export("MPI_Ibarrier");
        _test = (delegate* unmanaged[Cdecl]<nint*, int*, void*, int>)Export("MPI_Test");
        _errorText = (delegate* unmanaged[Cdecl]<int, byte*, int*, int>)Export("MPI_Error_string");
        _abort = (delegate* unmanaged[Cdecl]<nint, int, int>)Export("MPI_Abort");
        _finalize = (delegate* unmanaged[Cdecl]<int>)Export("MPI_Finalize");
        _version = (delegate* unmanaged[Cdecl]<byte*, int*, int>)Export("MPI_Get_library_version");
    }

    /// <summary>True for Open MPI's binary interface, false for that of MPICH.</summary>
    public bool IsOpenMpi { get; }

    /// <summary>All ranks.</summary>
    public nint World { get; }

    private nint Byte { get; }

    private nint ErrorsReturn { get; }

    private void* StatusIgnored { get; }

    /// <summary>The first line of what the library calls itself.</summary>
    public string Version
    {
        get
        {
            // MPI_MAX_LIBRARY_VERSION_STRING is 256 in the one and 8192 in the other.
            byte* text = stackalloc byte[8192];
            int length;
            Check(_version(text, &length));
            return Marshal.PtrToStringUTF8((nint)text, length).Split(['\n', ',', '\0'])[0].Trim();
        }
    }

    /// <summary>Joins the other ranks. MPI is then called by one thread at a time, though not always by the same.</summary>
    public void Initialize()
    {
        const int serialized = 2;
        int provided;
        Check(_initialize(null, null, serialized, &provided));
        Check(_setErrorHandler(World, ErrorsReturn));
        if (provided < serialized)
            throw new WiscaException(
                $"the MPI library ({Version}) allows calls from its first thread only", "use one that was built with support of threads");
    }

    public int RankIn(nint communicator)
    {
        int rank;
        Check(_rank(communicator, &rank));
        return rank;
    }

    public int SizeOf(nint communicator)
    {
        int size;
        Check(_size(communicator, &size));
        return size;
    }

    /// <summary>The same ranks with an order of messages of its own. Error handlers are inherited.</summary>
    public nint Duplicate(nint communicator)
    {
        nint duplicate = 0;
        Check(_duplicate(communicator, &duplicate));
        return duplicate;
    }

    public nint Broadcast(void* bytes, int count, int root, nint communicator)
    {
        nint request = 0;
        Check(_broadcast(bytes, count, Byte, root, communicator, &request));
        return request;
    }

    public nint Gather(void* own, void* all, int count, nint communicator)
    {
        nint request = 0;
        Check(_gather(own, count, Byte, all, count, Byte, communicator, &request));
        return request;
    }

    public nint Exchange(void* own, void* received, int count, nint communicator)
    {
        nint request = 0;
        Check(_exchange(own, count, Byte, received, count, Byte, communicator, &request));
        return request;
    }

    public nint Send(void* bytes, int count, int to, nint communicator)
    {
        nint request = 0;
        Check(_send(bytes, count, Byte, to, 0, communicator, &request));
        return request;
    }

    public nint Receive(void* bytes, int count, int from, nint communicator)
    {
        nint request = 0;
        Check(_receive(bytes, count, Byte, from, 0, communicator, &request));
        return request;
    }

    public nint Barrier(nint communicator)
    {
        nint request = 0;
        Check(_barrier(communicator, &request));
        return request;
    }

    /// <summary>True when what a request stands for is done. The request is no longer valid then.</summary>
    public bool IsDone(ref nint request)
    {
        int done;
        fixed (nint* place = &request) Check(_test(place, &done, StatusIgnored));
        return done != 0;
    }

    public void Abort(int code) => _ = _abort(World, code);

    public void Finish() => Check(_finalize());

    private nint Export(string name) => NativeLibrary.GetExport(_handle, name);

    private static (nint Handle, string? Reason) Load(string[] names)
    {
        string? reason = null;
        foreach (string name in names)
        {
            try
            {
                return (NativeLibrary.Load(name), null);
            }
            catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
            {
                // What is there and does not load tells more than what is not there.
                string line = exception.Message.Split('\n')[0].Trim();
                if (exception is BadImageFormatException || reason is null) reason = line;
            }
        }

        return (0, reason);
    }

    private void Check(int code)
    {
        if (code != 0) Throw(code);
    }

    [DoesNotReturn]
    private void Throw(int code)
    {
        byte* text = stackalloc byte[1024];
        int length;
        string reason = _errorText(code, text, &length) == 0 ? Marshal.PtrToStringUTF8((nint)text, length) : $"error {code}";
        throw new WiscaException(
            $"MPI failed: {reason.Split('\n')[0].Trim()}", "another rank may have ended; what it says, or mpirun, tells why");
    }
}
