using TorchSharp.Modules;
using Wisca.Communication;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Parallel;

/// <summary>
/// Adds up the gradients of all ranks, bucket by bucket, while the backward pass goes on. Each rank adds up its slice of a bucket in the
/// order of the ranks and gives it to the others: whatever the network does, all ranks have the same bits, in every run with as many
/// ranks. A rank sends and receives 2 (R - 1) / R times the bytes of the gradients. Gradients of 16-bit parameters are added in float32.
/// </summary>
public sealed class GradientBuckets : IDisposable
{
    private readonly ICommunicator _communicator;
    private readonly List<Bucket> _buckets = [];
    private readonly Decoder _model;
    private int _begun;
    private bool _open;

    /// <summary>Lays parameters into buckets.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="model">Tells when gradients are complete.</param>
    /// <param name="parameters">What is trained, in the same order everywhere.</param>
    /// <param name="bytes">The size of a bucket; one parameter that is larger has a bucket of its own.</param>
    public GradientBuckets(
        ICommunicator communicator, Decoder model, IReadOnlyList<(string Name, Parameter Parameter)> parameters, long bytes)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(parameters);
        (_communicator, _model) = (communicator, model);

        // In the order in which backward completes them; what is outside of the layers may be used at both ends.
        var ordered = parameters
            .Select(entry => (Layer: model.LayerOf(entry.Name) ?? -1, entry.Parameter,
                Type: NormLayer.AtLeastFloat32(entry.Parameter.dtype)))
            .OrderByDescending(entry => entry.Layer);
        foreach (var type in ordered.GroupBy(entry => entry.Type))
        {
            Bucket? open = null;
            foreach (var (layer, parameter, _) in type)
            {
                long size = parameter.numel() * SizeOf(type.Key);
                if (open is null || open.Bytes + size > bytes) _buckets.Add(open = new Bucket(type.Key));
                open.Add(parameter, layer);
            }
        }

        _buckets.Sort((a, b) => b.Layer.CompareTo(a.Layer));
        foreach (var bucket in _buckets) bucket.Allocate(communicator.Size);
    }

    /// <summary>Seconds that <see cref="Finish"/> took since the beginning: communication that nothing was computed beside.</summary>
    public double WaitedSeconds { get; private set; }

    /// <summary>Bytes that this rank has sent since the beginning.</summary>
    public long SentBytes { get; private set; }

    /// <summary>Number of buckets since the beginning that were on their way before the backward pass was through.</summary>
    public long BegunEarly { get; private set; }

    /// <summary>Called before the backward pass that completes the gradients.</summary>
    public void Begin()
    {
        (_begun, _open) = (0, true);
        _model.LayerPassed = Pass;
    }

    /// <summary>Called behind it: waits until all gradients are the sums of those of all ranks.</summary>
    public void Finish()
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        _model.LayerPassed = null;
        _open = false;
        BegunEarly += _begun;
        BeginDown(int.MinValue);
        foreach (var bucket in _buckets)
        {
            bucket.Complete(_communicator);
            SentBytes += bucket.SentBytes(_communicator);
        }

        WaitedSeconds += System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var bucket in _buckets) bucket.Dispose();
    }

    private static long SizeOf(ScalarType type) => type == ScalarType.Float64 ? sizeof(double) : sizeof(float);

    private void Pass(int layer)
    {
        if (!_open) return;
        BeginDown(layer);
        foreach (var bucket in _buckets.Take(_begun)) bucket.Advance(_communicator, _buckets);
    }

    /// <summary>Begins the buckets whose parameters all belong to a layer or to those above it.</summary>
    private void BeginDown(int layer)
    {
        for (; _begun < _buckets.Count && _buckets[_begun].Layer >= layer; _begun++) _buckets[_begun].Begin(_communicator);
    }

    /// <summary>Gradients that move together.</summary>
    private sealed class Bucket(ScalarType type) : IDisposable
    {
        private readonly List<(Parameter Parameter, long Start, long Length)> _parameters = [];
        private Tensor? _own, _received, _sum, _all;
        private ITransfer? _exchange, _gather;
        private long _length, _slice;

        public int Layer { get; private set; } = int.MaxValue;

        public long Bytes => _length * SizeOf(type);

        public void Add(Parameter parameter, int layer)
        {
            _parameters.Add((parameter, _length, parameter.numel()));
            _length += parameter.numel();
            Layer = Math.Min(Layer, layer);
        }

        public void Allocate(int ranks)
        {
            _slice = (_length + ranks - 1) / ranks;
            if (_slice * SizeOf(type) > int.MaxValue)
                throw new WiscaException(
                    $"a bucket of gradients has {_slice} elements a rank, more than one message holds", "use more ranks");
            bool pinned = _parameters.Any(entry => entry.Parameter.device.type == TorchSharp.DeviceType.CUDA);
            _own = New(_slice * ranks);
            _received = New(_slice * ranks);
            _all = New(_slice * ranks);
            _sum = New(_slice);

            Tensor New(long count)
            {
                var tensor = zeros([count], type);
                return (pinned ? tensor.pin_memory() : tensor).DetachFromDisposeScope();
            }
        }

        public long SentBytes(ICommunicator communicator) => 2 * _slice * SizeOf(type) * (communicator.Size - 1);

        public void Begin(ICommunicator communicator)
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            foreach (var (parameter, start, length) in _parameters)
            {
                using var place = _own!.narrow(0, start, length);
                if (parameter.grad is { } gradient) place.copy_(gradient.reshape(-1));
                else place.zero_();
            }

            _gather = null;
            _exchange = communicator.BeginExchange(Address(_own!), Address(_received!), (int)(_slice * SizeOf(type)));
        }

        /// <summary>Moves on without waiting. Gathers are begun in the order of the buckets.</summary>
        public void Advance(ICommunicator communicator, List<Bucket> order)
        {
            if (_gather is not null) _gather.Advance();
            else if (_exchange!.Advance() && order.TakeWhile(bucket => bucket != this).All(bucket => bucket._gather is not null))
                Share(communicator);
        }

        public void Complete(ICommunicator communicator)
        {
            if (_gather is null)
            {
                _exchange!.Wait();
                Share(communicator);
            }

            _gather!.Wait();
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            foreach (var (parameter, start, length) in _parameters)
            {
                if (parameter.grad is { } gradient) gradient.copy_(_all!.narrow(0, start, length).view_as(gradient));
            }
        }

        public void Dispose()
        {
            _own?.Dispose();
            _received?.Dispose();
            _all?.Dispose();
            _sum?.Dispose();
        }

        private void Share(ICommunicator communicator)
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            _sum!.copy_(_received!.narrow(0, 0, _slice));
            for (int rank = 1; rank < communicator.Size; rank++) _sum.Plus_(_received.narrow(0, rank * _slice, _slice));
            _gather = communicator.BeginGather(Address(_sum), Address(_all!), (int)(_slice * SizeOf(type)));
        }

        private static nint Address(Tensor tensor)
        {
            unsafe
            {
                var bytes = tensor.bytes;
                fixed (byte* place = bytes) return (nint)place;
            }
        }
    }
}
