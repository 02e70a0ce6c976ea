using TorchSharp;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Optimizers;

[Collection(TorchCollection.Name)]
public sealed class OptimizerStepTests : IClassFixture<OneThread>
{
    private const int Steps = 12;
    private const double Rate = 3e-2, Epsilon = KnownOptimizers.Epsilon, Decay = 0.1;

    private static readonly ParameterSettings Settings = new()
    {
        WeightDecay = Decay,
        DecayEmbeddings = false,
        Rules =
        [
            new ParameterRule("*.q.weight") { LearningRateMultiplier = 0.25 },
            new ParameterRule("*.k.weight") { LearningRateMultiplier = 4, KeepDecay = true, EpsilonMultiplier = 0.5 },
            new ParameterRule("*.o.bias") { WeightDecay = 0.3 },
        ],
    };

    /// <summary>Name, shape, and what the settings above mean for it: learning rate, epsilon, decay.</summary>
    private static readonly (string Name, long[] Shape, double Rate, double Epsilon, double Decay)[] Rows =
    [
        ("embed_tokens.weight", [7, 5], Rate, Epsilon, 0),
        ("layers.0.q.weight", [5, 3], Rate / 4, Epsilon, Decay),
        ("layers.0.k.weight", [5, 3], Rate * 4, Epsilon / 2, Decay / 4),
        ("layers.0.v.weight", [33, 17], Rate, Epsilon, Decay),
        ("layers.0.o.bias", [5], Rate, Epsilon, 0.3),
        ("norm.weight", [13], Rate, Epsilon, 0),
    ];

    public static TheoryData<string, ScalarType, double> Cases()
    {
        var cases = new TheoryData<string, ScalarType, double>();
        foreach (string name in KnownOptimizers.Elementwise)
        {
            // Each of the steps rounds a number about ten times.
            cases.Add(name, ScalarType.Float64, Rounding.Of(Rounding.Float64, 10 * Steps));
            cases.Add(name, ScalarType.Float32, Rounding.Of(Rounding.Float32, 10 * Steps));
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_Twelve_IsTheReference(string kind, ScalarType type, double tolerance)
    {
        var parameters = Rows.Select((row, index) => (row.Name, Parameter: ToyModel.Fill(row.Shape, type, index))).ToList();
        double[][] start = [.. parameters.Select(parameter => ToyModel.Values(parameter.Parameter))];
        using var optimizer = KnownOptimizers.Create(kind, parameters, Settings);
        optimizer.StateOf(Rows[0].Name).ShouldBeEmpty();
        for (int step = 0; step < Steps; step++)
        {
            for (int i = 0; i < Rows.Length; i++) SetGradient(parameters[i].Parameter, Gradient(Rows[i].Shape, i, step));
            optimizer.Step(Rate);
        }

        for (int i = 0; i < Rows.Length; i++)
        {
            var row = Rows[i];
            int index = i;
            double[][] gradients = [.. Enumerable.Range(0, Steps).Select(step => Gradient(row.Shape, index, step))];
            var (expected, memory) = ReferenceOptimizer.Run(
                start[i], gradients, KnownOptimizers.Rule(kind, row.Rate, row.Epsilon, row.Decay));
            Close(ToyModel.Values(parameters[i].Parameter), expected, tolerance, row.Name);
            var state = optimizer.StateOf(row.Name);
            for (int part = 0; part < state.Count; part++)
            {
                state[part].Tensor.shape.ShouldBe(row.Shape);
                state[part].Tensor.dtype.ShouldBe(type);
                Close(ToyModel.Values(state[part].Tensor), [.. memory.Select(values => values[part])], tolerance, row.Name);
            }

            optimizer.StepsOf(row.Name).ShouldBe(Steps);
            parameters[i].Parameter.Dispose();
        }
    }

    /// <summary>A tensor whose parts have settings of their own, [4, 9] in three, against three tensors with those settings.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_OfParts_IsThatOfTensorsApart(string kind, ScalarType type, double tolerance)
    {
        ParameterRule common = new("*") { LearningRateMultiplier = 0.5 },
            second =
                new("b")
                {
                    LearningRateMultiplier = 4,
                    KeepDecay = true,
                    EpsilonMultiplier = 0.25,
                },
            third = new("c") { WeightDecay = 0.3 };
        using var whole = ToyModel.Fill([4, 9], type, 1);
        var apart = ((string[])["a", "b", "c"])
            .Select((name, index) => (name, Parameter: new Parameter(whole.detach().narrow(1, 3 * index, 3).clone().contiguous())))
            .ToList();
        using Optimizer parted = KnownOptimizers.Create(
                kind, [("w", whole)],
                Rules([common, second with { Pattern = "w", Part = (2, 3) }, third with { Pattern = "w", Part = (3, 3) }])),
            separate = KnownOptimizers.Create(kind, apart, Rules([common, second, third]));
        for (int step = 0; step < Steps; step++)
        {
            SetGradient(whole, Gradient([4, 9], 0, step));
            for (int index = 0; index < 3; index++) apart[index].Parameter.grad = whole.grad!.narrow(1, 3 * index, 3).clone().contiguous();
            parted.Step(Rate);
            separate.Step(Rate);
        }

        Close(ToyModel.Values(whole), Joined(apart.Select(entry => (Tensor)entry.Parameter)), tolerance, "w");
        for (int part = 0; part < parted.StateOf("w").Count; part++)
            Close(
                ToyModel.Values(parted.StateOf("w")[part].Tensor),
                Joined(apart.Select(entry => separate.StateOf(entry.name)[part].Tensor)),
                tolerance,
                "state");
        foreach (var (_, parameter) in apart) parameter.Dispose();

        static ParameterSettings Rules(ParameterRule[] rules) => new() { WeightDecay = Decay, Rules = [.. rules] };

        static double[] Joined(IEnumerable<Tensor> parts) =>
            [.. cat([.. parts.Select(part => part.detach())], 1).to(ScalarType.Float64).reshape(-1).data<double>()];
    }

    [Fact]
    public void Create_PartsThatDoNotFit_AreRefused()
    {
        using var weight = ToyModel.Fill([4, 10], ScalarType.Float32, 1);
        string Refused(params ParameterRule[] rules) =>
            Should
                .Throw<WiscaException>(() => KnownOptimizers.Create("adamw", [("w", weight)], new ParameterSettings { Rules = [.. rules] }))
                .Message;
        Refused(new ParameterRule("w") { Part = (1, 3) })
            .ShouldBe("w: its last axis of 10 is parted by 3, expected one number of equal parts");
        Refused(new ParameterRule("w") { Part = (1, 2) }, new ParameterRule("w") { Part = (1, 5) }).ShouldContain("parted by 2 and 5");
        Refused(new ParameterRule("w") { Part = (3, 2) }).ShouldContain("part 3 of 2");
        Should
            .Throw<WiscaException>(() =>
                new Muon(
                    [("w", weight)],
                    new MuonOptions
                    {
                        AdamW = new AdamWOptions
                        {
                            Parameters = new ParameterSettings { Rules = [new ParameterRule("w") { Part = (1, 2) }] },
                        },
                    }))
            .Message.ShouldContain("whole matrices");
        Should
            .Throw<WiscaException>(() =>
                KnownOptimizers.Create(
                    "soap", [("w", weight)], new ParameterSettings { Rules = [new ParameterRule("w") { Part = (1, 2) }] }))
            .Message.ShouldContain("whole matrices");
    }

    [Theory]
    [InlineData(6, 4, MuonScale.AdamWSize, true)]
    [InlineData(4, 6, MuonScale.Spectral, true)]
    [InlineData(6, 4, MuonScale.Spectral, false)]
    public void StepOfMuon_Twelve_IsTheReference(int rows, int columns, MuonScale scale, bool nesterov)
    {
        const string name = "layers.0.up.weight";
        long[] shape = [rows, columns];
        using var matrix = ToyModel.Fill(shape, ScalarType.Float64, 1);
        using var head = ToyModel.Fill(shape, ScalarType.Float64, 2);
        using var norm = ToyModel.Fill([5], ScalarType.Float64, 3);
        double[] matrixStart = ToyModel.Values(matrix), headStart = ToyModel.Values(head);
        var adamOptions = new AdamWOptions { Epsilon = Epsilon, Parameters = new ParameterSettings { WeightDecay = Decay } };
        var options = new MuonOptions { Scale = scale, Nesterov = nesterov, AdamW = adamOptions };
        using var optimizer = new Muon([(name, matrix), ("lm_head.weight", head), ("norm.weight", norm)], options);
        double[][] gradients = [.. Enumerable.Range(0, Steps).Select(step => Gradient(shape, 0, step))];
        foreach (double[] gradient in gradients)
        {
            SetGradient(matrix, gradient);
            SetGradient(head, gradient);
            SetGradient(norm, gradient[..5]);
            optimizer.Step(Rate);
        }

        double size = scale == MuonScale.Spectral ? Math.Sqrt(Math.Max(1.0, (double)rows / columns)) : 0.2 * Math.Sqrt(6);
        var (weights, buffer) = ReferenceOptimizer.RunMuon(
            Matrix(matrixStart), [.. gradients.Select(Matrix)], Rate, 0.95, nesterov, Decay, size);
        Close(ToyModel.Values(matrix), [.. weights.Cast<double>()], 1e-12, name);
        Close(ToyModel.Values(optimizer.StateOf(name).Single().Tensor), [.. buffer.Cast<double>()], 1e-12, name);
        var adam = ReferenceOptimizer.Run(headStart, gradients, ReferenceOptimizer.AdamW(Rate, 0.9, 0.95, Epsilon, Decay));
        Close(ToyModel.Values(head), adam.Weights, 1e-12, "head");
        optimizer.StateOf("norm.weight").Select(state => state.Name).ShouldBe(["exp_avg", "exp_avg_sq"]);
        optimizer.HasEpsilon(name).ShouldBeFalse();
        Should.Throw<NotSupportedException>(() => optimizer.MultiplyEpsilon(name, 2));
        optimizer.HasEpsilon("norm.weight").ShouldBeTrue();

        double[,] Matrix(double[] values) => ReferenceOptimizer.Make(rows, columns, (i, j) => values[(i * columns) + j]);
    }

    /// <summary>Both sides in a basis, either alone, and none; more rows than columns and fewer.</summary>
    [Theory]
    [InlineData(5, 5, 10)]
    [InlineData(6, 4, 6)]
    [InlineData(4, 6, 6)]
    [InlineData(6, 4, 5)]
    [InlineData(4, 6, 5)]
    [InlineData(4, 6, 3)]
    public void StepOfSoap_Twelve_IsTheReference(int rows, int columns, int maxDimension)
    {
        const string name = "embed_tokens.weight";
        long[] shape = [rows, columns];
        using var matrix = ToyModel.Fill(shape, ScalarType.Float64, 1);
        using var norm = ToyModel.Fill([4], ScalarType.Float64, 3);
        double[] start = ToyModel.Values(matrix), normStart = ToyModel.Values(norm);
        var settings = new ParameterSettings
        {
            WeightDecay = Decay,
            Rules = [new ParameterRule(name) { LearningRateMultiplier = 2, EpsilonMultiplier = 0.5 }],
        };
        var options = KnownOptimizers.Soap(settings) with { MaxDimension = maxDimension };
        using var optimizer = new Soap([(name, matrix), ("norm.weight", norm)], options);
        double[][] gradients = [.. Enumerable.Range(0, Steps).Select(step => Gradient(shape, 0, step))];
        bool[] rotated = [rows <= maxDimension, columns <= maxDimension];
        double[,]?[] bases = [null, null];
        for (int step = 0; step < Steps; step++)
        {
            SetGradient(matrix, gradients[step]);
            SetGradient(norm, gradients[step][..4]);
            optimizer.Step(Rate);
            if (step > 0) continue;
            if (rotated[0] || rotated[1]) ToyModel.Values(matrix).ShouldBe(start);
            if (rotated[0]) bases[0] = Eigenvectors("left", rows, Matrix(gradients[0]));
            if (rotated[1]) bases[1] = Eigenvectors("right", columns, ReferenceOptimizer.Transpose(Matrix(gradients[0])));
        }

        double epsilon = KnownOptimizers.Epsilon;
        var norms = ReferenceOptimizer.Run(
            normStart, [.. gradients.Select(gradient => gradient[..4])],
            ReferenceOptimizer.AdamW(Rate, options.Beta1, options.Beta2, epsilon, 0));
        Close(ToyModel.Values(norm), norms.Weights, 1e-12, "norm");
        if (!rotated[0] && !rotated[1])
        {
            var rule = ReferenceOptimizer.AdamW(2 * Rate, options.Beta1, options.Beta2, epsilon / 2, Decay);
            Close(ToyModel.Values(matrix), ReferenceOptimizer.Run(start, gradients, rule).Weights, 1e-12, name);
            optimizer.StateOf(name).Select(state => state.Name).ShouldBe(["exp_avg", "exp_avg_sq"]);
            return;
        }

        var (weights, squares, grams, turned) = ReferenceOptimizer.RunSoap(
            Matrix(start), [.. gradients.Select(Matrix)], bases, 2 * Rate, options.Beta1, options.Beta2, 0.8, epsilon / 2, Decay, 3);
        Close(ToyModel.Values(matrix), [.. weights.Cast<double>()], 1e-10, name);
        Close(State("exp_avg_sq"), [.. squares.Cast<double>()], 1e-10, "squares");
        string[] sides = ["left", "right"];
        for (int side = 0; side < 2; side++)
        {
            if (!rotated[side])
            {
                optimizer.StateOf(name).ShouldNotContain(state => state.Name.EndsWith(sides[side]));
                continue;
            }

            // The sign of a column is free.
            Close(State($"gram_{sides[side]}"), [.. grams[side].Cast<double>()], 1e-12, sides[side]);
            Close(
                Array.ConvertAll(State($"basis_{sides[side]}"), Math.Abs), [.. turned[side]!.Cast<double>().Select(Math.Abs)], 1e-9,
                sides[side]);
        }

        double[,] Matrix(double[] values) => ReferenceOptimizer.Make(rows, columns, (i, j) => values[(i * columns) + j]);

        double[] State(string kind) => ToyModel.Values(optimizer.StateOf(name).Single(state => state.Name == kind).Tensor);

        // The optimizer's own choice, which is free where eigenvalues are equal, after a look at whether it is one.
        double[,] Eigenvectors(string side, int size, double[,] gradient)
        {
            double[] values = State($"basis_{side}");
            double[,] basis = ReferenceOptimizer.Make(size, size, (i, j) => values[(i * size) + j]);
            double[,] across = ReferenceOptimizer.Product(ReferenceOptimizer.Transpose(gradient), basis);
            double[,] diagonal = ReferenceOptimizer.Product(ReferenceOptimizer.Transpose(across), across);
            double[,] identity = ReferenceOptimizer.Product(ReferenceOptimizer.Transpose(basis), basis);
            for (int i = 0; i < size; i++)
            {
                for (int j = 0; j < size; j++)
                {
                    identity[i, j].ShouldBe(i == j ? 1 : 0, 1e-13);
                    if (i != j) diagonal[i, j].ShouldBe(0, 1e-12);
                }

                if (i > 0) diagonal[i, i].ShouldBeLessThan(diagonal[i - 1, i - 1] + 1e-12);
            }

            return basis;
        }
    }

    /// <summary>The oracle would notice: a learning rate that is one part in a million off is not the reference.</summary>
    [Fact]
    public void Step_OtherLearningRate_IsNotTheReference()
    {
        using var parameter = ToyModel.Fill([5, 3], ScalarType.Float64, 1);
        double[] start = ToyModel.Values(parameter), gradient = Gradient([5, 3], 0, 0);
        using var optimizer = KnownOptimizers.Create("adamw", [("w", parameter)], new ParameterSettings());
        SetGradient(parameter, gradient);
        optimizer.Step(Rate * (1 + 1e-6));
        var (expected, _) = ReferenceOptimizer.Run(start, [gradient], KnownOptimizers.Rule("adamw", Rate, Epsilon, 0.1));
        ToyModel.Values(parameter).Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeGreaterThan(1e-9);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_SixteenBit_RoundsTheSinglePrecisionMaster(string kind)
    {
        using var narrow = ToyModel.Fill([6, 4], ScalarType.BFloat16, 1);
        using var single = new Parameter(narrow.detach().to(ScalarType.Float32));
        using var mixed = KnownOptimizers.Create(kind, [("w", narrow)], new ParameterSettings());
        using var full = KnownOptimizers.Create(kind, [("w", single)], new ParameterSettings());
        for (int step = 0; step < Steps; step++)
        {
            // What is set on both has to be a bfloat16.
            double[] gradient = Array.ConvertAll(Gradient([6, 4], 0, step), value => Math.Round(value * 64) / 64);
            SetGradient(narrow, gradient);
            SetGradient(single, gradient);
            mixed.Step(1e-3);
            full.Step(1e-3);
        }

        var state = mixed.StateOf("w");
        state.ShouldAllBe(part => part.Tensor.dtype == ScalarType.Float32);
        var master = state.Single(part => part.Name == "master");
        master.Degree.ShouldBe(1);
        ToyModel.Values(master.Tensor).ShouldBe(ToyModel.Values(single));
        ToyModel.Values(narrow).ShouldBe(ToyModel.Values(single.detach().to(ScalarType.BFloat16)));
        ToyModel.Values(narrow).ShouldNotBe(ToyModel.Values(single));

        using (var scope = NewDisposeScope()) master.Tensor.mul_(2);
        mixed.RefreshFromMaster("w");
        ToyModel.Values(narrow).ShouldBe(ToyModel.Values((single.detach() * 2).to(ScalarType.BFloat16)));
        mixed.Reset("w");
        mixed.StateOf("w").Single().Name.ShouldBe("master");
        mixed.StepsOf("w").ShouldBe(0);
    }

    public static TheoryData<string> Kinds() => [.. KnownOptimizers.All];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Reset_AfterSteps_IsAsBeforeTheFirst(string kind)
    {
        using var once = ToyModel.Fill([6, 4], ScalarType.Float32, 1);
        using var fresh = ToyModel.Fill([6, 4], ScalarType.Float32, 1);
        using var used = KnownOptimizers.Create(kind, [("w", once)], new ParameterSettings());
        using var unused = KnownOptimizers.Create(kind, [("w", fresh)], new ParameterSettings());
        for (int step = 0; step < 3; step++) Step(used, once, step);
        used.Reset("w");
        used.StateOf("w").ShouldBeEmpty();
        using (var scope = NewDisposeScope())
        {
            using var ungraded = no_grad();
            once.copy_(fresh);
        }

        for (int step = 5; step < 8; step++)
        {
            Step(used, once, step);
            Step(unused, fresh, step);
        }

        ToyModel.Values(once).ShouldBe(ToyModel.Values(fresh));

        static void Step(Optimizer optimizer, Parameter parameter, int step)
        {
            SetGradient(parameter, Gradient([6, 4], 0, step));
            optimizer.Step(Rate);
        }
    }

    [Fact]
    public void Step_GradientOfOtherLayout_IsTheReference()
    {
        using var parameter = ToyModel.Fill([5, 3], ScalarType.Float64, 1);
        double[] start = ToyModel.Values(parameter);
        using var optimizer = KnownOptimizers.Create("adamw", [("w", parameter)], new ParameterSettings());
        using (var scope = NewDisposeScope()) parameter.grad = tensor(new[] { 1.0, 2, 3 }).expand(5, 3);
        optimizer.Step(Rate);
        double[] gradient = [.. Enumerable.Range(0, 15).Select(i => 1.0 + (i % 3))];
        Close(
            ToyModel.Values(parameter),
            ReferenceOptimizer.Run(start, [gradient], KnownOptimizers.Rule("adamw", Rate, Epsilon, 0.1)).Weights, 1e-12, "w");
    }

    [Fact]
    public void Create_NotContiguous_IsRefused()
    {
        using var storage = zeros(3, 5);
        using var transposed = new Parameter(storage.t());
        var exception = Should.Throw<WiscaException>(() => new AdamW([("layers.0.w", transposed)]));
        exception.Message.ShouldStartWith("layers.0.w: the parameter is not contiguous");
        exception.Hint.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void Create_PatternsThatMatchNothing_NamesThem()
    {
        using var parameter = ToyModel.Fill([2, 2], ScalarType.Float32, 1);
        var settings = new ParameterSettings
        {
            Rules = [new ParameterRule("w"), new ParameterRule("*.q_prj.weight"), new ParameterRule("W")],
        };
        Should.Throw<WiscaException>(() => new AdamW([("w", parameter)], new AdamWOptions { Parameters = settings }))
            .Message.ShouldBe("no parameter matches the pattern '*.q_prj.weight' or 'W'");
    }

    [Theory]
    [InlineData(-1, 0, 1, false, "learning-rate multiplier is -1")]
    [InlineData(1, double.NaN, 1, false, "weight decay is NaN")]
    [InlineData(1, 0, 0, false, "epsilon multiplier is 0")]
    [InlineData(0, 0, 1, true, "cannot keep the decay")]
    public void Create_BadRule_NamesIt(double rate, double decay, double epsilon, bool keep, string message)
    {
        var rule = new ParameterRule("*")
        {
            LearningRateMultiplier = rate,
            WeightDecay = decay,
            EpsilonMultiplier = epsilon,
            KeepDecay = keep,
        };
        var exception = Should.Throw<WiscaException>(() =>
            new Lion([], new LionOptions { Parameters = new ParameterSettings { Rules = [rule] } }));
        exception.Message.ShouldStartWith("parameters '*': ");
        exception.Message.ShouldContain(message);
    }

    [Fact]
    public void Create_BadOption_IsRefused()
    {
        Should
            .Throw<WiscaException>(() => new AdamW([], new AdamWOptions { Beta2 = 1 }))
            .Message.ShouldBe("beta2 is 1, expected a number from 0 and below 1");
        Should.Throw<WiscaException>(() => new AdamW([], new AdamWOptions { Epsilon = 0 })).Message.ShouldStartWith("epsilon is 0");
        Should
            .Throw<WiscaException>(() => new SgdMomentum([], new SgdMomentumOptions { Momentum = 0, Nesterov = true }))
            .Message.ShouldContain("nesterov");
        Should.Throw<WiscaException>(() => new Muon([], new MuonOptions { Iterations = 0 })).Message.ShouldStartWith("iterations is 0");
        Should.Throw<WiscaException>(() => new Soap([], new SoapOptions { Refresh = 0 })).Message.ShouldStartWith("refresh is 0");
        Should.Throw<WiscaException>(() => new Soap([], new SoapOptions { MaxDimension = -1 })).Message.ShouldContain("dimension is -1");
        Should.Throw<WiscaException>(() => new Soap([], new SoapOptions { ShampooBeta = 1 })).Message.ShouldStartWith("shampoo beta is 1");
        Should.Throw<WiscaException>(() => new Soap([], new SoapOptions { Epsilon = 0 })).Message.ShouldStartWith("epsilon is 0");
        Should.Throw<WiscaException>(() => new Lion([], new LionOptions { Beta1 = -0.1 })).Message.ShouldStartWith("beta1 is -0.1");
        Should.Throw<ArgumentOutOfRangeException>(() => new Lion([]).Step(double.NaN));
        new Lion([]).StateOf("w").ShouldBeEmpty();
    }

    /// <summary>A factor at run time is worth the same as the multiplier of a rule, with and without keeping the decay.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void MultiplyLearningRate_AtRunTime_IsTheRule(bool keepDecay)
    {
        using Parameter a = ToyModel.Fill([5, 3], ScalarType.Float64, 1), b = ToyModel.Fill([5, 3], ScalarType.Float64, 1);
        var rule = new ParameterRule("w") { LearningRateMultiplier = 4, KeepDecay = keepDecay };
        using Optimizer multiplied = KnownOptimizers.Create("adamw", [("w", a)], new ParameterSettings()),
            ruled = KnownOptimizers.Create("adamw", [("w", b)], new ParameterSettings { Rules = [rule] });
        multiplied.MultiplyLearningRate("w", 4, keepDecay);
        for (int step = 0; step < 3; step++)
        {
            SetGradient(a, Gradient([5, 3], 0, step));
            SetGradient(b, Gradient([5, 3], 0, step));
            multiplied.Step(Rate);
            ruled.Step(Rate);
        }

        ToyModel.Values(a).ShouldBe(ToyModel.Values(b));
        Should.Throw<ArgumentOutOfRangeException>(() => multiplied.MultiplyLearningRate("w", 0));
        Should.Throw<ArgumentOutOfRangeException>(() => multiplied.MultiplyEpsilon("w", double.PositiveInfinity));
    }

    [Theory]
    [InlineData("adamw", 500)]
    [InlineData("muon", 100)]
    [InlineData("soap", 50)]
    [InlineData("lion", 50)]
    [InlineData("sgd-decoupled", 50)]
    [InlineData("sgd-nesterov", 50)]
    public void Step_ManyTimes_LeavesNoTensors(string kind, int steps)
    {
        using var model = new ToyModel(ScalarType.Float32);
        using var optimizer = KnownOptimizers.Create(kind, model.Parameters, new ParameterSettings());
        using var average = new WeightAverage(model.Parameters);
        for (int step = 0; step < 5; step++) Step();
        long before = Live();
        for (int step = 0; step < steps; step++) Step();
        Live().ShouldBe(before);

        void Step()
        {
            model.Backward();
            optimizer.ClipGradients(1);
            optimizer.Step(1e-3);
            optimizer.ZeroGradients();
            average.Update();
        }

        static long Live() => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
    }

    /// <summary>Three digits, rounded to float32: the same in both types.</summary>
    internal static double[] Gradient(long[] shape, int parameter, int step) =>
        Array.ConvertAll(
            ToyModel.Numbers((int)shape.Aggregate(1L, (product, size) => product * size), 100 + (50 * parameter) + step),
            value => (double)(float)value);

    internal static void SetGradient(Parameter parameter, double[] values)
    {
        using var scope = NewDisposeScope();
        parameter.grad = tensor(values).reshape(parameter.shape).to(parameter.dtype);
    }

    private static void Close(double[] actual, double[] expected, double tolerance, string name)
    {
        actual.Length.ShouldBe(expected.Length);
        double largest = Math.Max(1, expected.Max(Math.Abs));
        actual.Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(tolerance * largest, name);
    }
}
