using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Wisca.Communication;

namespace Wisca.Mpi;

/// <summary>
/// The processes that <c>mpirun</c> or <c>srun</c> started. Every wait has an end: when the time is over, or when what started this process
/// is gone.
/// </summary>
public sealed unsafe partial class MpiCommunicator : ICommunicator
{
    private const int Fast = 64;
    private const uint SleepMicroseconds = 50;
    private static readonly TimeSpan Eager = TimeSpan.FromMilliseconds(20), Glance = TimeSpan.FromMilliseconds(200);

    private readonly nint _world, _exchanges, _gathers;
    private readonly string _launcher;
    private readonly int _parent = Parent();
    private bool _ended;
    private long _looked = Stopwatch.GetTimestamp();

    private MpiCommunicator(MpiLaunch launch)
    {
        _launcher = launch.Launcher;
        Library = new MpiLibrary(launch);
        Library.Initialize();
        _world = Library.World;
        (Rank, Size) = (Library.RankIn(_world), Library.SizeOf(_world));
        if (Size != launch.Size)
            throw new WiscaException(
                $"{launch.Launcher} started {launch.Size} ranks, but {Library.Version} sees {Size}",
                "the launcher is another MPI's than the library: start with the one that belongs to it, or name the library by "
                + $"{MpiLaunch.LibraryVariable}");
        (_exchanges, _gathers) = (Library.Duplicate(_world), Library.Duplicate(_world));
        (LocalRank, LocalSize) = Neighbours();
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <inheritdoc/>
    public int LocalRank { get; }

    /// <inheritdoc/>
    public int LocalSize { get; }

    /// <inheritdoc/>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>What the library calls itself.</summary>
    public string Version => Library.Version;

    internal MpiLibrary Library { get; }

    /// <summary>The number of this process among those it was started with, before it joins them; 0 where it was started alone.</summary>
    public static int LaunchedRank => MpiLaunch.Find(Environment.GetEnvironmentVariable)?.Rank ?? 0;

    /// <summary>Joins the ranks that this process was started with; null where it was started alone, and then nothing is loaded.</summary>
    /// <exception cref="WiscaException">It was started with others, but there is no MPI library, or another one.</exception>
    public static MpiCommunicator? Join() =>
        MpiLaunch.Find(Environment.GetEnvironmentVariable) is { Size: > 1 } launch ? new MpiCommunicator(launch) : null;

    /// <inheritdoc/>
    public void Barrier(bool patient = false) =>
        Wait(new MpiTransfer(this, Library.Barrier(_world), "to meet"), "to meet", patient);

    /// <inheritdoc/>
    public void Broadcast(Span<byte> bytes, int root)
    {
        const string what = "to share what one has";
        fixed (byte* place = bytes)
            Wait(new MpiTransfer(this, Library.Broadcast(place, bytes.Length, root, _world), what), what, patient: false);
    }

    /// <inheritdoc/>
    public void Gather(ReadOnlySpan<byte> own, Span<byte> all)
    {
        const string what = "to share what all have";
        if (all.Length != (long)own.Length * Size) throw new ArgumentException("not the length of all ranks", nameof(all));
        fixed (byte* mine = own, place = all)
            Wait(new MpiTransfer(this, Library.Gather(mine, place, own.Length, _world), what), what, patient: false);
    }

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> bytes, int receiver)
    {
        string what = string.Create(CultureInfo.InvariantCulture, $"to give something to rank {receiver}");
        fixed (byte* place = bytes)
            Wait(new MpiTransfer(this, Library.Send(place, bytes.Length, receiver, _world), what), what, patient: false);
    }

    /// <inheritdoc/>
    public void Receive(Span<byte> bytes, int sender)
    {
        string what = string.Create(CultureInfo.InvariantCulture, $"for something from rank {sender}");
        fixed (byte* place = bytes)
            Wait(new MpiTransfer(this, Library.Receive(place, bytes.Length, sender, _world), what), what, patient: false);
    }

    /// <inheritdoc/>
    public ITransfer BeginExchange(nint own, nint received, int bytes) =>
        new MpiTransfer(this, Library.Exchange((void*)own, (void*)received, bytes, _exchanges), "to add up");

    /// <inheritdoc/>
    public ITransfer BeginGather(nint own, nint all, int bytes) =>
        new MpiTransfer(this, Library.Gather((void*)own, (void*)all, bytes, _gathers), "to share sums");

    /// <summary>Ends this rank where all went well. Waits for the others.</summary>
    public void Finish()
    {
        if (_ended) return;
        Barrier();
        _ended = true;
        Library.Finish();
    }

    /// <summary>Ends all ranks at once, this process included.</summary>
    /// <param name="code">The exit code.</param>
    public void Abort(int code)
    {
        if (_ended) return;
        _ended = true;
        Library.Abort(code);
    }

    /// <summary>Waits for a transfer: with all its might at first, then beside others who need the processor.</summary>
    internal void Wait(MpiTransfer transfer, string what, bool patient)
    {
        LookAround();
        for (int count = 0; count < Fast; count++)
        {
            if (transfer.Advance()) return;
        }

        var clock = Stopwatch.StartNew();
        while (!transfer.Advance())
        {
            var waited = clock.Elapsed;
            if (waited < Eager) Thread.Yield();
            else _ = Sleep(SleepMicroseconds);
            LookAround();
            if (!patient && Timeout > TimeSpan.Zero && waited > Timeout)
                throw new WiscaException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"rank {Rank} of {Size} waited {waited.TotalSeconds:0} s for the others {what}"),
                    "a rank died, hangs or is much slower than the others; distributed.timeout is how long is waited");
        }
    }

    /// <summary>Now and then looks whether what started this rank is still there: who would end it otherwise?</summary>
    private void LookAround()
    {
        if (Stopwatch.GetElapsedTime(_looked) < Glance) return;
        _looked = Stopwatch.GetTimestamp();
        if (Parent() != _parent)
            throw new WiscaException(
                $"{_launcher}, which started this rank, is gone", "start the run again: it goes on from its latest checkpoint");
    }

    /// <summary>Which of the ranks of this machine this one is.</summary>
    private (int Rank, int Size) Neighbours()
    {
        UInt128[] own = [XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(Environment.MachineName))], all = new UInt128[Size];
        Gather(MemoryMarshal.AsBytes(own.AsSpan()), MemoryMarshal.AsBytes(all.AsSpan()));
        return (all.AsSpan(0, Rank).Count(own[0]), all.AsSpan().Count(own[0]));
    }

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int Parent();

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int Sleep(uint microseconds);
}
