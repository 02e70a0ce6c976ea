using Wisca.Torch.Optimizers;
using Wisca.Transitions;

namespace Wisca.Torch.Transitions;

/// <summary>Gathers what is to be multiplied of tensors in the machine's own memory; all threads do it, each element once.</summary>
internal sealed class HostScaling
{
    // Of a run of rows: enough to outweigh handing it out, little enough to stay in a core's cache.
    private const int ElementsAtOnce = 1 << 16;

    private readonly List<(HostMatrix Matrix, double[]? Rows, double[]? Columns, int First, int Count)> _runs = [];
    private readonly HashSet<IntPtr> _tensors = [];
    private long _elements;

    /// <summary>Takes up what becomes of a state; what waits is done first where it is the same tensor.</summary>
    /// <returns>False where it is not as each element's own factor, or the tensor lies elsewhere.</returns>
    public bool TryAdd(StateTensor state, AxisFactors factors)
    {
        if (factors.AddsOne && state.Degree > 0) return false;
        double? uniform = factors.Uniform;
        if ((uniform is null && !state.IsElementwise) || HostMatrix.Of(state.Tensor) is not { } matrix) return false;
        if (!_tensors.Add(state.Tensor.Handle))
        {
            Run();
            _tensors.Add(state.Tensor.Handle);
        }

        double[]? rows = StateTransport.Powers(factors.Rows, state.Degree), columns = StateTransport.Powers(factors.Columns, state.Degree);
        if (uniform is { } one)
        {
            rows = new double[matrix.Rows];
            Array.Fill(rows, StateTransport.Power(one, state.Degree));
            columns = null;
        }
        else if (state.Tensor.dim() < 2) (rows, columns) = (null, rows ?? columns);

        // A run lies in one matrix of a stack that has columns of its own.
        int part = matrix.Rows / (columns is null ? 1 : columns.Length / matrix.Columns);
        int most = Math.Max(1, ElementsAtOnce / matrix.Columns);
        for (int first = 0; first < matrix.Rows;)
        {
            int count = Math.Min(most, part - (first % part));
            _runs.Add((matrix, rows, columns, first, count));
            first += count;
        }

        _elements += (long)matrix.Rows * matrix.Columns;
        return true;
    }

    /// <summary>Multiplies all that was taken up.</summary>
    public void Run()
    {
        if (_elements <= ElementsAtOnce) _runs.ForEach(Scale);
        else Parallel.ForEach(_runs, new ParallelOptions { MaxDegreeOfParallelism = TorchRuntime.Threads }, Scale);
        _runs.Clear();
        _tensors.Clear();
        _elements = 0;

        static void Scale((HostMatrix Matrix, double[]? Rows, double[]? Columns, int First, int Count) run) =>
            run.Matrix.Scale(run.First, run.Count, run.Rows, run.Columns);
    }
}
