using Wisca.Checkpoints;
using Wisca.Core.Tests.Architectures;
using Wisca.Core.Tests.Rotations;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Inspection;

public sealed class OutlierMeterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// What numpy says of w[i, j] = sin(1 + 7 i + 3 j) + 0.1, with w[4, 2] = 9:
    /// <c>c = w - w.mean(); (c**4).mean() / (c**2).mean()**2; abs(w).max() / r; sqrt((w*w).mean(1)).max() / r</c> and <c>.mean(0)</c>, with
    /// <c>r = sqrt((w*w).mean())</c>.
    /// </summary>
    [Fact]
    public void Measure_AMatrix_IsWhatNumpySays()
    {
        double[] values = [.. Enumerable.Range(0, 60).Select(index => Math.Sin(1 + (7 * (index / 10)) + (3 * (index % 10))) + 0.1)];
        values[42] = 9;
        TinyCheckpoint.Write(
            _folder["model"], """{"model_type": "llama"}""", Dtype.F64,
            [("a.weight", [6, 10], values), ("zero.weight", [2, 3], new double[6]), ("gain.weight", [3], [1, 2, 3])]);
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        var measured = OutlierMeter.Measure(checkpoint);
        measured.Select(entry => entry.Tensor).ShouldBe(["a.weight", "zero.weight"]);
        measured[0].Kurtosis.ShouldBe(31.606977535786438, 1e-10);
        measured[0].Largest.ShouldBe(6.664925338509873, 1e-12);
        measured[0].LargestRow.ShouldBe(2.125982541873281, 1e-12);
        measured[0].LargestColumn.ShouldBe(2.778188410141131, 1e-12);
        measured[1].ShouldBe(new TensorOutliers("zero.weight", double.NaN, 0, 0, 0));
    }

    [Fact]
    public void Measure_NotFinite_NamesTheTensor()
    {
        TinyCheckpoint.Write(
            _folder["model"], """{"model_type": "llama"}""", Dtype.F64, [("a.weight", [1, 2], [double.NaN, 1])]);
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        Should.Throw<WiscaException>(() => OutlierMeter.Measure(checkpoint)).Message.ShouldBe("tensor 'a.weight' holds NaN or infinity");
    }

    /// <summary>What the rotation is for: a channel of large weights is spread over all of them.</summary>
    [Fact]
    public void Measure_HadamardRotation_SpreadsAChannelThatStandsOut()
    {
        new StreamModel(tied: false, layerNorm: false).Write(_folder["plain"], Dtype.F64);
        using (var plain = Checkpoint.Open(_folder["plain"]))
        {
            TinyCheckpoint.Write(
                _folder["model"], File.ReadAllText(Path.Combine(_folder["plain"], "config.json")), Dtype.F64,
                [
                    .. plain.Tensors.Select(tensor =>
                    {
                        double[] values = StreamModel.Values(plain, tensor.Info.Name);
                        int columns = (int)tensor.Info.Shape[^1];
                        if (tensor.Info.Name.EndsWith("gate_proj.weight", StringComparison.Ordinal))
                            for (int row = 0; row < values.Length / columns; row++) values[(row * columns) + 5] *= 20;
                        return (tensor.Info.Name, tensor.Info.Shape.Select(size => (int)size).ToArray(), values);
                    }),
                ]);
        }

        using var model = Checkpoint.Open(_folder["model"]);
        Rotator.Rotate(model, _folder["rotated"], new RotateOptions { Stream = BasisSource.Hadamard, Gains = GainPolicy.Fold });
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        TensorOutliers before = Gate(model), after = Gate(rotated);
        before.LargestColumn.ShouldBeGreaterThan(3);
        after.LargestColumn.ShouldBeLessThan(1.5);
        after.Kurtosis.ShouldBeLessThan(before.Kurtosis / 2);
        after.Largest.ShouldBeLessThan(before.Largest / 2);

        static TensorOutliers Gate(Checkpoint checkpoint) =>
            OutlierMeter.Measure(checkpoint).First(entry => entry.Tensor.EndsWith("gate_proj.weight", StringComparison.Ordinal));
    }
}
