using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Wisca.Communication;

namespace Wisca.Training.Tests.Ranks;

/// <summary>Ranks that are threads of this process: what several processes would compute, without MPI.</summary>
internal sealed class ThreadRanks : IDisposable
{
    private readonly Barrier _barrier;
    private readonly byte[][] _slots;
    private readonly ConcurrentDictionary<(string Kind, long Number, int Rank), byte[]> _parts = [];
    private readonly ConcurrentDictionary<(int From, int To), BlockingCollection<byte[]>> _mail = [];
    private readonly CancellationTokenSource _failed = new();

    private ThreadRanks(int size) => (_barrier, _slots) = (new Barrier(size), new byte[size][]);

    /// <summary>Does something on every rank, each with its communicator; the first failure is thrown.</summary>
    public static T[] Run<T>(int size, Func<ICommunicator, T> act)
    {
        if (size == 1) return [act(SingleProcess.Instance)];
        using var ranks = new ThreadRanks(size);
        var results = new T[size];
        ConcurrentQueue<Exception> failures = [];
        Thread[] threads =
        [
            .. Enumerable.Range(0, size).Select(rank => new Thread(() =>
            {
                try
                {
                    results[rank] = act(new Member(ranks, rank, size));
                }
                catch (Exception exception)
                {
                    failures.Enqueue(exception);
                    ranks._failed.Cancel();
                }
            })),
        ];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (failures.FirstOrDefault(failure => failure is not OperationCanceledException) is { } first)
            ExceptionDispatchInfo.Throw(first);
        return results;
    }

    public void Dispose()
    {
        _barrier.Dispose();
        _failed.Dispose();
        foreach (var box in _mail.Values) box.Dispose();
    }

    private sealed class Member(ThreadRanks ranks, int rank, int size) : ICommunicator
    {
        private readonly Dictionary<string, long> _begun = [];

        public int Rank => rank;

        public int Size => size;

        public int LocalRank => rank;

        public int LocalSize => size;

        public TimeSpan Timeout { get; set; }

        public void Barrier(bool patient = false) => ranks._barrier.SignalAndWait(ranks._failed.Token);

        public void Broadcast(Span<byte> bytes, int root)
        {
            if (rank == root) ranks._slots[root] = bytes.ToArray();
            Barrier();
            ranks._slots[root].CopyTo(bytes);
            Barrier();
        }

        public void Gather(ReadOnlySpan<byte> own, Span<byte> all)
        {
            ranks._slots[rank] = own.ToArray();
            Barrier();
            for (int other = 0; other < size; other++) ranks._slots[other].CopyTo(all[(other * own.Length)..]);
            Barrier();
        }

        public void Send(ReadOnlySpan<byte> bytes, int receiver) => Box(rank, receiver).Add(bytes.ToArray());

        public void Receive(Span<byte> bytes, int sender) => Box(sender, rank).Take(ranks._failed.Token).CopyTo(bytes);

        public ITransfer BeginExchange(nint own, nint received, int bytes) => Begin("exchange", own, received, bytes, bytes * size);

        public ITransfer BeginGather(nint own, nint all, int bytes) => Begin("gather", own, all, bytes, bytes);

        private unsafe Transfer Begin(string kind, nint own, nint target, int bytes, int sent)
        {
            long number = _begun[kind] = _begun.GetValueOrDefault(kind) + 1;
            ranks._parts[(kind, number, rank)] = new ReadOnlySpan<byte>((void*)own, sent).ToArray();
            return new Transfer(ranks, kind, number, target, bytes, rank, size);
        }

        private BlockingCollection<byte[]> Box(int from, int to) => ranks._mail.GetOrAdd((from, to), _ => []);
    }

    private sealed class Transfer(ThreadRanks ranks, string kind, long number, nint target, int bytes, int rank, int size) : ITransfer
    {
        private bool _done;

        public unsafe bool Advance()
        {
            if (_done) return true;
            if (!Enumerable.Range(0, size).All(other => ranks._parts.ContainsKey((kind, number, other)))) return false;
            for (int other = 0; other < size; other++)
            {
                byte[] part = ranks._parts[(kind, number, other)];
                int start = kind == "exchange" ? rank * bytes : 0;
                part.AsSpan(start, bytes).CopyTo(new Span<byte>((byte*)target + ((long)other * bytes), bytes));
            }

            return _done = true;
        }

        public void Wait()
        {
            while (!Advance())
            {
                ranks._failed.Token.ThrowIfCancellationRequested();
                Thread.Sleep(0);
            }
        }
    }
}
