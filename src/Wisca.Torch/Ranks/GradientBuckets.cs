using System.Diagnostics;
using TorchSharp;
using TorchSharp.Modules;
using Wisca.Communication;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Ranks;

/// <summary>
/// Adds up the gradients of all ranks when backward is through, bucket by bucket: while one is added up, the next is on its way. What is in
/// a bucket and the order of transfers depend on the parameters only. Each rank adds up its slice of a bucket in the order of the ranks and
/// gives it to the others: whatever the network does, all ranks have the same bits, in every run with as many ranks. A rank sends and
/// receives 2 (R - 1) / R times the bytes of the gradients. Gradients of 16-bit parameters are added in float32.
/// </summary>
public sealed class GradientBuckets : IDisposable
{
    private readonly ICommunicator _communicator;
    private readonly List<Bucket> _buckets = [];
    private readonly List<Room> _rooms = [];

    /// <summary>Lays parameters into buckets.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="parameters">What is trained, in the same order everywhere.</param>
    /// <param name="bytes">The size of a bucket; one parameter that is larger has a bucket of its own.</param>
    /// <exception cref="WiscaException">A parameter is too large for a message.</exception>
    public GradientBuckets(ICommunicator communicator, IReadOnlyList<(string Name, Parameter Parameter)> parameters, long bytes)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        ArgumentNullException.ThrowIfNull(parameters);
        _communicator = communicator;
        foreach (var type in parameters.GroupBy(entry => NormLayer.AtLeastFloat32(entry.Parameter.dtype), entry => entry.Parameter))
        {
            var buckets = new List<Bucket>();
            foreach (var parameter in type)
            {
                if (buckets.Count == 0 || buckets[^1].Bytes + (parameter.numel() * SizeOf(type.Key)) > bytes)
                    buckets.Add(new Bucket(type.Key));
                buckets[^1].Add(parameter);
            }

            // No more than two are on their way at once.
            long slice = buckets.Max(bucket => bucket.SliceOf(communicator.Size));
            bool pinned = type.Any(parameter => parameter.device.type == DeviceType.CUDA);
            Room[] rooms = [new Room(type.Key, slice, communicator.Size, pinned), new Room(type.Key, slice, communicator.Size, pinned)];
            _rooms.AddRange(rooms);
            foreach (var bucket in buckets)
            {
                bucket.Room = rooms[_buckets.Count % 2];
                _buckets.Add(bucket);
            }
        }
    }

    /// <summary>Seconds that <see cref="AddUp"/> took since the beginning.</summary>
    public double Seconds { get; private set; }

    /// <summary>Makes all gradients the sums of those of all ranks.</summary>
    /// <exception cref="WiscaException">A rank is gone, or the wait took too long.</exception>
    public void AddUp()
    {
        long began = Stopwatch.GetTimestamp();
        for (int index = 0; index <= _buckets.Count; index++)
        {
            if (index < _buckets.Count) _buckets[index].Begin(_communicator);
            if (index > 0) _buckets[index - 1].Complete(_communicator);
        }

        Seconds += Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var room in _rooms) room.Dispose();
    }

    private static long SizeOf(ScalarType type) => type == ScalarType.Float64 ? sizeof(double) : sizeof(float);

    /// <summary>Gradients that move together.</summary>
    private sealed class Bucket(ScalarType type)
    {
        private readonly List<(Parameter Parameter, long Start, long Length)> _parameters = [];
        private ITransfer? _exchange;
        private long _length;

        public Room Room { get; set; } = null!;

        public long Bytes => _length * SizeOf(type);

        public long SliceOf(int ranks) => (_length + ranks - 1) / ranks;

        public void Add(Parameter parameter)
        {
            _parameters.Add((parameter, _length, parameter.numel()));
            _length += parameter.numel();
        }

        /// <summary>Gives every rank its slice.</summary>
        public void Begin(ICommunicator communicator)
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            foreach (var (parameter, start, length) in _parameters)
            {
                var place = Room.Own.narrow(0, start, length);
                if (parameter.grad is { } gradient) place.copy_(gradient.reshape(-1));
                else place.zero_();
            }

            _exchange = communicator.BeginExchange(Address(Room.Own), Address(Room.Received), SliceBytes(communicator));
        }

        /// <summary>Adds up the slice of this rank, gives it to the others, and waits for theirs.</summary>
        public void Complete(ICommunicator communicator)
        {
            _exchange!.Wait();
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            long slice = SliceOf(communicator.Size);
            var sum = Room.Sum.narrow(0, 0, slice);
            sum.copy_(Room.Received.narrow(0, 0, slice));
            for (int rank = 1; rank < communicator.Size; rank++) sum.Plus_(Room.Received.narrow(0, rank * slice, slice));
            communicator.BeginGather(Address(Room.Sum), Address(Room.All), SliceBytes(communicator)).Wait();
            foreach (var (parameter, start, length) in _parameters)
            {
                if (parameter.grad is { } gradient) gradient.copy_(Room.All.narrow(0, start, length).view_as(gradient));
            }
        }

        private int SliceBytes(ICommunicator communicator) => (int)(SliceOf(communicator.Size) * SizeOf(type));

        private static unsafe nint Address(Tensor tensor)
        {
            fixed (byte* place = tensor.bytes) return (nint)place;
        }
    }

    /// <summary>The memory of a bucket on its way.</summary>
    private sealed class Room : IDisposable
    {
        public Room(ScalarType type, long slice, int ranks, bool pinned)
        {
            if (slice * SizeOf(type) > int.MaxValue)
                throw new WiscaException(
                    $"a parameter has {slice} elements a rank, more than one message holds", "use more ranks");
            (Own, Received, All, Sum) = (New(slice * ranks), New(slice * ranks), New(slice * ranks), New(slice));

            Tensor New(long count)
            {
                var tensor = zeros([count], type);
                return (pinned ? tensor.pin_memory() : tensor).DetachFromDisposeScope();
            }
        }

        public Tensor Own { get; }

        public Tensor Received { get; }

        public Tensor All { get; }

        public Tensor Sum { get; }

        public void Dispose()
        {
            foreach (var tensor in (Tensor[])[Own, Received, All, Sum]) tensor.Dispose();
        }
    }
}
