using System.Collections.Concurrent;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Torch.Transitions;

/// <summary>A model in training of which all that a plan asks for first was measured on all threads, a tensor on each.</summary>
internal sealed class MeasuredModel : ITensorSource
{
    private readonly LiveModel _model;
    private readonly ConcurrentDictionary<(string Tensor, int Axis, int Parts, bool AddsOne), AxisStatistics> _measured = new();

    public MeasuredModel(LiveModel model, TransitionPlan plan)
    {
        _model = model;
        List<(string Tensor, int Axis, int Parts, bool AddsOne)> all =
        [
            .. plan.Exchanges
                .SelectMany(exchange => exchange.Slices)
                .Select(slice => (slice.Tensor, slice.Axis, slice.Parts, slice.AddsOne))
                .Distinct()
                .Where(entry => model.IsInHostMemory(entry.Tensor)),
        ];
        try
        {
            Parallel.ForEach(
                all, new ParallelOptions { MaxDegreeOfParallelism = TorchRuntime.Threads },
                entry => _measured[entry] = model.Measure(entry.Tensor, entry.Axis, entry.Parts, entry.AddsOne));
        }
        catch (AggregateException exception) when (exception.InnerExceptions.OfType<WiscaException>().FirstOrDefault() is not null)
        {
            // Of several tensors the first of the plan is named, as without threads.
            foreach (var entry in all) _ = model.Measure(entry.Tensor, entry.Axis, entry.Parts, entry.AddsOne);
            throw;
        }
    }

    public Dtype DtypeOf(string tensor) => _model.DtypeOf(tensor);

    public AxisStatistics Measure(string tensor, int axis, int parts = 1, bool addsOne = false, double[]? others = null) =>
        others is null && _measured.TryGetValue((tensor, axis, parts, addsOne), out var measured)
            ? measured
            : _model.Measure(tensor, axis, parts, addsOne, others);

    public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups) =>
        _model.SpectralNorms(tensor, axis, groupOfIndex, groups);
}
