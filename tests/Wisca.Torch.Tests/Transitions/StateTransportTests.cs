using System.Collections.Immutable;
using Wisca.Attention;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Tests.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>State whose tensors are not of the parameter's shape: Gram matrices, bases, and moments in them.</summary>
[Collection(TorchCollection.Name)]
public sealed class StateTransportTests : IClassFixture<OneThread>
{
    private const int Before = 10, After = 50;
    private static readonly string[] Exact = ["exp_avg", "gram_left", "gram_right", "basis_left", "basis_right"];

    public enum Moved
    {
        All,
        NotTheBases,
        NotTheGrams,
        NotTheMomenta,
        WeightsAlone,
    }

    /// <summary>The space between two matrices is turned in the middle of training, or three of its dimensions.</summary>
    [Theory]
    [InlineData(0, 4)]
    [InlineData(1, 3)]
    public void TryRotate_Soap_TrainsTheSameFunction(int start, int size) =>
        Largest(Train(Soap(), start, size, Moved.All), Train(Soap(), 0, 0, Moved.All)).ShouldBeLessThan(1e-9);

    /// <summary>The space is turned that has bases, and the other has none: 5 and 6 are too long, 4 is not.</summary>
    [Fact]
    public void TryRotate_SoapOfOneSide_TrainsTheSameFunction()
    {
        var options = Soap() with { MaxDimension = 4 };
        Largest(Train(options, 0, 4, Moved.All), Train(options, 0, 0, Moved.All)).ShouldBeLessThan(1e-9);
    }

    [Theory]
    [InlineData(Moved.NotTheBases)]
    [InlineData(Moved.NotTheGrams)]
    [InlineData(Moved.NotTheMomenta)]
    [InlineData(Moved.WeightsAlone)]
    public void TryRotate_Forgotten_IsNotThat(Moved moved)
    {
        double[] still = Train(Soap(), 0, 0, Moved.All), turned = Train(Soap(), 0, 4, moved);
        turned[..(Before + 1)].Zip(still, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-12);
        Largest(turned, still).ShouldBeGreaterThan(1e-6);
    }

    /// <summary>The measure can fail: AdamW is not equivariant, and what is not rotated is said.</summary>
    [Fact]
    public void TryRotate_SquaresOfElements_AreRefused()
    {
        using var model = new Chain();
        using var adam = new AdamW(model.Parameters);
        model.Backward();
        adam.Step(1e-2);
        using var rotation = Rotation(4, 1);
        var states = adam.StateOf("down");
        double[] squares = ToyModel.Values(states[1].Tensor);
        states.Select(state => StateTransport.TryRotate(state, 1, 0, rotation)).ShouldBe([true, false]);
        ToyModel.Values(states[1].Tensor).ShouldBe(squares);

        // A side that is too long for a basis has squares of its own elements too.
        using var soap = new Soap([("up", model.Up)], Soap() with { MaxDimension = 4 });
        model.Backward();
        soap.Step(1e-2);
        using var other = Rotation(5, 1);
        soap.StateOf("up").Select(state => (state.Name, StateTransport.TryRotate(state, 1, 0, other))).ShouldBe(
            [("exp_avg", true), ("exp_avg_sq", false), ("gram_left", true), ("basis_left", true)]);
        soap.StateOf("up").ShouldAllBe(state => StateTransport.TryRotate(state, 0, 0, rotation));
    }

    /// <summary>
    /// Momenta and the Gram matrices of the side that is scaled are those of a training that had the scaled gradients from the start.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Scale_FactorForEachIndex_IsExactForMomentaAndTheGramsOfThatSide(int axis)
    {
        double[] factors = axis == 0 ? [2, 0.3, 1, 5] : [2, 0.3, 1, 5, 0.7];
        AsFromTheStart(
            axis, diag(tensor(Array.ConvertAll(factors, factor => 1 / factor))),
            (state, live) => live.Scale("w", AxisFactors.Along(axis, factors), StatePolicy.Transport));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Mix_SymmetricMatrix_IsExactForMomentaAndTheGramsOfThatSide(int axis)
    {
        int size = 4 + axis;
        using var scope = NewDisposeScope();
        var some = ToyModel.Random([size, size], 9, ScalarType.Float64);
        var matrix = some.matmul(some.t()) + eye(size, dtype: ScalarType.Float64);
        var inverse = linalg.inv(matrix);
        AsFromTheStart(axis, inverse, (_, live) => live.Mix("w", axis, Array(matrix), Array(inverse), StatePolicy.Transport));

        double[,] Array(Tensor tensor) => (double[,])tensor.data<double>().ToNDArray();
    }

    /// <summary>One factor for the whole is exact for all state: what a training with the scaled gradients has.</summary>
    [Fact]
    public void Scale_OneFactor_IsExactForAllState()
    {
        AsFromTheStart(
            0, eye(4, dtype: ScalarType.Float64).Times(1 / 3.7), (_, live) =>
            live.Scale("w", AxisFactors.Along(0, [3.7, 3.7, 3.7, 3.7]), 0),
            everything: true);
    }

    /// <summary>
    /// Moments in a basis, against the mean over all signs of coordinates z with z_j^2 = v_j, which are uncorrelated: gradient Q z becomes
    /// M Q z, whose coordinates are Q^T M Q z.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ScaleAndMix_UncorrelatedCoordinates_AreExact(bool mixed)
    {
        using var scope = NewDisposeScope();
        const int size = 4;
        Tensor basis = Rotation(size, 3), squares = ToyModel.Random([size, 2], 4, ScalarType.Float64).abs(), before = squares.clone();
        var state = new StateTensor("exp_avg_sq", squares, -2) { Axes = [new StateAxis(0, basis), new StateAxis(1)] };
        double[] factors = [2, 0.3, 1, 5];
        var some = ToyModel.Random([size, size], 9, ScalarType.Float64);
        var inverse = mixed ? some + some.t() : diag(tensor(System.Array.ConvertAll(factors, factor => 1 / factor)));
        if (mixed) StateTransport.Mix(state, 0, new double[size, size], (double[,])inverse.data<double>().ToNDArray());
        else StateTransport.Scale(state, AxisFactors.Along(0, factors));
        var mean = zeros_like(before);
        for (int pattern = 0; pattern < 1 << size; pattern++)
        {
            var signs = tensor([.. Enumerable.Range(0, size).Select(bit => (pattern >> bit & 1) == 0 ? 1.0 : -1)]).unsqueeze(1);
            mean.add_(basis.t().matmul(inverse.matmul(basis.matmul(signs * before.sqrt()))).pow(2) / (1 << size));
        }

        (mean - squares).abs().max().AsDouble().ShouldBeLessThan(1e-12);
        ToyModel.Values(squares).ShouldNotBe(ToyModel.Values(before));
    }

    /// <summary>With the state and epsilon transported a transition is other learning rates, to the bit for powers of two.</summary>
    [Theory]
    [InlineData(2, 0)]
    [InlineData(1.7, 1e-9)]
    public void Apply_Soap_EqualsChangedLearningRates(double s, double tolerance)
    {
        foreach (var policy in (StatePolicy[])[StatePolicy.Transport, StatePolicy.Keep])
        {
            using TinyTraining moved = new(ScalarType.Float64), reference = new(ScalarType.Float64);
            using Soap left = Create(moved), right = Create(reference);
            var scheduler = new WiscaScheduler(
                moved.Parameters, moved.Plan(TransitionKind.ValueOutput, Granularity.Tensor),
                new WiscaOptions { State = policy, TransportEpsilon = policy == StatePolicy.Transport }, left);
            double largest = 0;
            for (int step = 0; step < Before + 20; step++)
            {
                if (step == Before)
                {
                    var solution = new TransitionSolution(
                        scheduler.Plan,
                        [
                            .. scheduler.Plan.Exchanges.Select(exchange =>
                                (ImmutableArray<GroupBalance>)
                                    [.. exchange.Groups.Select(label => new GroupBalance(label, 1, 1, s, GroupOutcome.Scaled, null))]),
                        ]);
                    scheduler.Apply(Before, () => solution);
                    foreach (var (name, factors) in solution.Factors((name, axis) => scheduler.LengthOf(name, axis)))
                        right.MultiplyLearningRate(name, 1 / factors.Uniform!.Value, keepDecay: false);
                }

                long[] batch = moved.NextBatch();
                double loss = moved.Backward(batch), other = reference.Backward(reference.NextBatch());
                largest = Math.Max(largest, Math.Abs(loss - other) / other);
                left.Step(1e-3);
                right.Step(1e-3);
            }

            if (policy == StatePolicy.Transport) largest.ShouldBeLessThanOrEqualTo(tolerance);
            else largest.ShouldBeGreaterThan(1e-6);
        }

        static Soap Create(TinyTraining training) =>
            new(
                training.Parameters.Select(entry => (entry.Name, entry.Parameter)),
                new SoapOptions { Epsilon = 1e-6, Refresh = 4, Parameters = new ParameterSettings { WeightDecay = 0 } });
    }

    /// <summary>By what Fisher balances: for each row and column the average of the sums of squares.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(4)]
    public void Measure_Soap_HasTheSecondMoments(int maxDimension)
    {
        using var weight = ToyModel.Fill([4, 5], ScalarType.Float64, 1);
        using var soap = new Soap([("w", weight)], Soap() with { MaxDimension = maxDimension });
        double[][] sums = [new double[4], new double[5]];
        for (int step = 0; step < 6; step++)
        {
            double[] gradient = OptimizerStepTests.Gradient([4, 5], 0, step);
            OptimizerStepTests.SetGradient(weight, gradient);
            soap.Step(1e-2);
            for (int axis = 0; axis < 2; axis++)
            {
                // The first gradient is in the Gram matrices, and not yet in the second moments.
                bool counts = step > 0 || maxDimension >= sums[axis].Length;
                for (int i = 0; i < sums[axis].Length; i++) sums[axis][i] *= 0.95;
                for (int i = 0; i < 20 && counts; i++) sums[axis][axis == 0 ? i / 5 : i % 5] += 0.05 * gradient[i] * gradient[i];
            }
        }

        var live = new LiveModel([("w", weight)], [soap]);
        for (int axis = 0; axis < 2; axis++)
        {
            if (maxDimension == 4 && axis == 0) continue;
            live.Measure("w", axis).SumOfSecondMoments!.Zip(sums[axis], (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-12);
        }
    }

    private static SoapOptions Soap() => new() { Refresh = 3, Parameters = new ParameterSettings { WeightDecay = 0.1 } };

    private static double Largest(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y) / Math.Abs(y)).Max();

    private static Tensor Rotation(int size, int seed) =>
        linalg.qr(ToyModel.Random([size, size], seed, ScalarType.Float64)).Item1.DetachFromDisposeScope();

    /// <summary>Trains, turns some dimensions between the two matrices after ten steps (none for size 0), and trains on.</summary>
    private static double[] Train(SoapOptions options, int start, int size, Moved moved)
    {
        using var model = new Chain();
        using var optimizer = new Soap(model.Parameters, options);
        var losses = new List<double>();
        for (int step = 0; step < Before + After; step++)
        {
            if (step == Before && size > 0) Turn(model, optimizer, start, size, moved);
            optimizer.ZeroGradients();
            losses.Add(model.Backward());
            optimizer.Step(1e-2);
        }

        losses[^1].ShouldBeLessThan(losses[0]);
        return [.. losses];
    }

    private static void Turn(Chain model, Soap optimizer, int start, int size, Moved moved)
    {
        using var rotation = Rotation(size, 7);
        foreach (var (name, weight, axis) in ((string, Parameter, int)[])[("up", model.Up, 0), ("down", model.Down, 1)])
        {
            StateTransport.TryRotate(new StateTensor(name, weight, 1), axis, start, rotation).ShouldBeTrue();
            if (moved == Moved.WeightsAlone) continue;
            foreach (var state in optimizer.StateOf(name))
            {
                if (moved == Moved.NotTheBases && state.Name.StartsWith("basis", StringComparison.Ordinal)) continue;
                if (moved == Moved.NotTheGrams && state.Name.StartsWith("gram", StringComparison.Ordinal)) continue;
                if (moved == Moved.NotTheMomenta && state.Name == "exp_avg") continue;
                StateTransport.TryRotate(state, axis, start, rotation).ShouldBeTrue(state.Name);
            }
        }
    }

    /// <summary>
    /// What a live model does to the state of SOAP after five gradients g is what another has that was given M g along the axis, for
    /// momenta, and for the Gram matrix of that side; for everything where it says so.
    /// </summary>
    private static void AsFromTheStart(int axis, Tensor inverse, Action<Soap, LiveModel> act, bool everything = false)
    {
        using var scope = NewDisposeScope();
        using Parameter weight = ToyModel.Fill([4, 5], ScalarType.Float64, 1), other = ToyModel.Fill([4, 5], ScalarType.Float64, 1);
        using Soap moved = new([("w", weight)], Soap()), expected = new([("w", other)], Soap());
        for (int step = 0; step < 5; step++)
        {
            OptimizerStepTests.SetGradient(weight, OptimizerStepTests.Gradient([4, 5], 0, step));
            other.grad = axis == 0 ? inverse.matmul(weight.grad!) : weight.grad!.matmul(inverse);
            moved.Step(0);
            expected.Step(0);
        }

        double[] bases = [.. moved.StateOf("w").Where(state => state.Degree == 0).SelectMany(state => ToyModel.Values(state.Tensor))];
        act(moved, new LiveModel([("w", weight)], [moved]));
        var names = everything ? ["exp_avg_sq", .. Exact] : (string[])["exp_avg", axis == 0 ? "gram_left" : "gram_right"];
        foreach (string name in names)
        {
            double[] wanted = Values(expected, name);
            double largest = wanted.Max(Math.Abs);
            Values(moved, name).Zip(wanted, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-11 * largest, name);
        }

        // A basis stays where it is; the keeper's next refresh brings it on.
        moved.StateOf("w").Where(state => state.Degree == 0).SelectMany(state => ToyModel.Values(state.Tensor)).ShouldBe(bases);

        static double[] Values(Soap soap, string name) => ToyModel.Values(soap.StateOf("w").Single(state => state.Name == name).Tensor);
    }

    /// <summary>
    /// mean |down up x - y|^2 with up [4, 5] and down [6, 4]: the space between is turned without a change of what it computes.
    /// </summary>
    private sealed class Chain : IDisposable
    {
        private readonly Tensor _input = ToyModel.Random([5, 9], 4, ScalarType.Float64).DetachFromDisposeScope(),
            _target = ToyModel.Random([6, 9], 5, ScalarType.Float64).DetachFromDisposeScope();

        public Parameter Up { get; } = ToyModel.Fill([4, 5], ScalarType.Float64, 1);

        public Parameter Down { get; } = ToyModel.Fill([6, 4], ScalarType.Float64, 2);

        public IEnumerable<(string, Parameter)> Parameters => [("up", Up), ("down", Down)];

        public double Backward()
        {
            using var scope = NewDisposeScope();
            var error = Down.matmul(Up.matmul(_input)) - _target;
            var loss = (error * error).mean();
            loss.backward();
            return loss.AsDouble();
        }

        public void Dispose()
        {
            Up.Dispose();
            Down.Dispose();
            _input.Dispose();
            _target.Dispose();
        }
    }
}
