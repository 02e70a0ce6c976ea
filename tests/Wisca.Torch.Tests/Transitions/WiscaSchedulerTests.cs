using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

[Collection(TorchCollection.Name)]
public sealed class WiscaSchedulerTests
{
    [Theory]
    [InlineData(Criterion.L1, Granularity.Tensor, FactorRounding.None)]
    [InlineData(Criterion.L1, Granularity.Tensor, FactorRounding.PowerOfTwo)]
    [InlineData(Criterion.L2, Granularity.KvHead, FactorRounding.None)]
    [InlineData(Criterion.Rms, Granularity.KvHead, FactorRounding.PowerOfTwo)]
    [InlineData(Criterion.L1Mean, Granularity.Tensor, FactorRounding.None)]
    [InlineData(Criterion.Spectral, Granularity.KvHead, FactorRounding.PowerOfTwo)]
    public void Apply_LiveModel_DoesWhatRescalingDoesOnDisk(Criterion criterion, Granularity granularity, FactorRounding rounding)
    {
        using var training = new TinyTraining(ScalarType.Float32);
        training.Unbalance();
        using var folder = new TemporaryFolder();
        training.Model.Save(folder["before"]);
        var options = new RescaleOptions
        {
            QueryKey = granularity,
            ValueOutput = granularity,
            Balance = new BalanceOptions(criterion, rounding),
        };
        using (var before = Checkpoint.Open(folder["before"])) Rescaler.Rescale(before, folder["disk"], options);
        var scheduler = new WiscaScheduler(
            training.Parameters, WiscaScheduler.PlanFor(training.Parameters, training.Config, options),
            new WiscaOptions { Transitions = options });
        scheduler.Apply(0).Scaled.ShouldBeGreaterThan(0);

        // The sums differ in their last bits of float64, so an exact factor may round an element the other way once in a great while.
        using var disk = Checkpoint.Open(folder["disk"]);
        using var expected = Decoder.Load(disk);
        foreach (var (name, parameter) in expected.named_parameters())
        {
            using var difference = (parameter - training[name]).abs() / parameter.abs().clamp_min(1e-30);
            difference.max().AsDouble().ShouldBeLessThanOrEqualTo(rounding == FactorRounding.PowerOfTwo ? 0 : 2 * Rounding.Float32, name);
        }
    }

    [Theory]
    [InlineData(TransitionKind.QueryKey, Granularity.KvHead)]
    [InlineData(TransitionKind.ValueOutput, Granularity.Channel)]
    [InlineData(TransitionKind.QueryKey, Granularity.Pair)]
    public void Apply_AnyGranularity_KeepsTheLossAndBalances(TransitionKind kind, Granularity granularity)
    {
        using var training = new TinyTraining(ScalarType.Float64);
        var plan = training.Plan(kind, granularity);
        var scheduler = new WiscaScheduler(training.Parameters, plan, new WiscaOptions { Transitions = plan.Options });
        long[] batch = training.NextBatch();
        var done = scheduler.Apply(7, () => training.Evaluate(batch));
        done.Step.ShouldBe(7);
        done.Loss.ShouldNotBeNull().After.ShouldBe(done.Loss!.Value.Before, 1e-12);
        scheduler.Imbalances().ShouldAllBe(group => Math.Abs(group.Log2Ratio) < 1e-9);
    }

    [Fact]
    public void Apply_LayoutThatIsWrong_IsFoundByTheProbeAndTakenBack()
    {
        using var training = new TinyTraining(ScalarType.Float64);

        // Channels scaled one by one although RoPE rotates them in pairs: what a table without RoPE would lead to.
        var names = new AttentionNames(
            "model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.k_proj", "model.layers.*.self_attn.v_proj",
            "model.layers.*.self_attn.o_proj", 4, 2, 8);
        var options = new TransitionOptions
        {
            QueryKey = Granularity.Channel,
            ValueOutput = null,
            Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
        };
        var plan = TransitionPlan.Create(
            new AttentionGeometry(2, 8, names.RopePairs), NamedLayers.Find([.. training.Parameters], names), options);
        var scheduler = new WiscaScheduler(training.Parameters, plan, new WiscaOptions { Transitions = options });
        using var before = training["model.layers.0.self_attn.q_proj.weight"].clone();
        long[] batch = training.NextBatch();
        Should
            .Throw<WiscaException>(() => scheduler.Apply(3, () => training.Evaluate(batch)))
            .Message.ShouldContain("the transition after step 3 changed the loss");
        training["model.layers.0.self_attn.q_proj.weight"].Equals(before).ShouldBeTrue();
        scheduler.Transitions.ShouldBe(0);
        scheduler.Product.ShouldAllBe(groups => groups.All(factor => factor == 1));
    }

    [Fact]
    public void Step_Trigger_IsDueWhenItSays()
    {
        using var training = new TinyTraining(ScalarType.Float64);
        var plan = training.Plan(TransitionKind.QueryKey, Granularity.Tensor);
        Steps(new WiscaTrigger()).ShouldBe([0, 250, 500]);
        Steps(new WiscaTrigger { AtStart = false, Every = 0, Steps = [3, 400] }).ShouldBe([3, 400]);
        Steps(new WiscaTrigger { Every = 200, Until = 450 }).ShouldBe([0, 200, 400]);
        Steps(new WiscaTrigger { AtStart = true, Every = 0 }).ShouldBe([0]);

        long[] Steps(WiscaTrigger trigger)
        {
            var scheduler = new WiscaScheduler(
                training.Parameters, plan, new WiscaOptions { Transitions = plan.Options, Trigger = trigger });
            return [.. new long[] { 0, 1, 3, 200, 250, 400, 450, 500 }.Where(step => scheduler.Step(step) is not null)];
        }
    }

    [Fact]
    public void Step_Threshold_ActsOnlyBeyondIt()
    {
        using var training = new TinyTraining(ScalarType.Float64);
        var plan = training.Plan(TransitionKind.QueryKey, Granularity.Tensor);
        var scheduler = new WiscaScheduler(
            training.Parameters,
            plan,
            new WiscaOptions
            {
                Transitions = plan.Options,
                Trigger = new WiscaTrigger
                {
                    AtStart = true,
                    Every = 0,
                    Threshold = 0.5,
                },
            });
        scheduler.Step(0).ShouldNotBeNull();
        scheduler.Step(1).ShouldBeNull();
        using (no_grad()) training["model.layers.1.self_attn.k_proj.weight"].mul_(1.3);
        scheduler.Step(2).ShouldBeNull();
        using (no_grad()) training["model.layers.1.self_attn.k_proj.weight"].mul_(1.3);
        scheduler.Step(3).ShouldNotBeNull().Solution.Groups.Select(group => group.Balance.Factor).ShouldBe([1, Math.Sqrt(1.69)], 1e-9);
    }

    [Fact]
    public void Apply_Fisher_BalancesTheSecondMoments()
    {
        using var training = new TinyTraining(ScalarType.Float64);
        var plain = PlainOptimizer.AdamW(training.Parameters);
        var options = new TransitionOptions
        {
            QueryKey = Granularity.KvHead,
            Balance = new BalanceOptions(Criterion.Fisher, FactorRounding.None),
        };
        var scheduler = new WiscaScheduler(
            training.Parameters, WiscaScheduler.PlanFor(training.Parameters, training.Config, options),
            new WiscaOptions { Transitions = options }, plain);
        Should.Throw<WiscaException>(() => scheduler.Apply(0)).Message.ShouldContain("second moments");
        for (int step = 0; step < 5; step++)
        {
            training.Backward(training.NextBatch());
            plain.Step(1e-3);
        }

        scheduler.Apply(5).Scaled.ShouldBe(6);
        scheduler.Imbalances().ShouldAllBe(group => Math.Abs(group.Log2Ratio) < 1e-9);
    }

    [Theory]
    [InlineData("adam")]
    [InlineData("adamw")]
    [InlineData("sgd")]
    [InlineData("rmsprop")]
    public void Attach_TorchSharpOptimizer_StateFollows(string kind)
    {
        using TinyTraining moved = new(ScalarType.Float64), still = new(ScalarType.Float64);
        moved.Unbalance();
        still.Unbalance();
        using optim.Optimizer left = Create(moved), right = Create(still);
        var names = new AttentionNames(
            "model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.k_proj", "model.layers.*.self_attn.v_proj",
            "model.layers.*.self_attn.o_proj", 4, 2, 8, RotaryDims: 8);
        var options = new WiscaOptions
        {
            Transitions = new TransitionOptions { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) },
            Trigger = new WiscaTrigger { AtStart = false, Every = 4 },
        };
        var wisca = WiscaScheduler.Attach(moved.Model, left, names, options);
        for (int step = 1; step <= 4; step++)
        {
            long[] batch = moved.NextBatch();
            still.NextBatch();
            moved.Backward(batch).ShouldBe(still.Backward(batch));
            left.step();
            right.step();
            (wisca.Step() is not null).ShouldBe(step == 4);
        }

        // The gradient of the next batch and every moment are those of the untouched model in the new gauge.
        var states = new TorchSharpOptimizerState(left, moved.Parameters);
        var others = new TorchSharpOptimizerState(right, still.Parameters);
        const string query = "model.layers.0.self_attn.q_proj.weight";
        double s = wisca.Product[0][0];
        s.ShouldNotBe(1);
        double.IsPow2(s).ShouldBeTrue();
        states.StateOf(query).Count.ShouldBe(kind switch { "sgd" => 1, "rmsprop" => 3, _ => 2 });
        foreach (var (state, other) in states.StateOf(query).Zip(others.StateOf(query)))
        {
            using var expected = other.Tensor * Math.Pow(s, state.Degree);
            state.Tensor.Equals(expected).ShouldBeTrue(state.Name);
            if (state.Name != "grad_avg") state.Tensor.abs().sum().AsDouble().ShouldBeGreaterThan(0);
        }

        optim.Optimizer Create(TinyTraining training) => kind switch
        {
            "adam" => optim.Adam(training.Model.parameters(), 1e-3),
            "adamw" => optim.AdamW(training.Model.parameters(), 1e-3),
            "sgd" => optim.SGD(training.Model.parameters(), 1e-2, momentum: 0.9),
            _ => optim.RMSProp(training.Model.parameters(), 1e-3, momentum: 0.9),
        };
    }

    [Theory]
    [InlineData("adam")]
    [InlineData("amsgrad")]
    [InlineData("adamw")]
    [InlineData("sgd")]
    [InlineData("rmsprop")]
    [InlineData("centered")]
    public void State_OfTorchSharpsOptimizers_HasTheDegreeThatItIsSaidToHave(string kind)
    {
        // Gradients of a weight that is twice as large are half as large: what each optimizer then has gathered tells the degree.
        using var scope = NewDisposeScope();
        var states = new[] { 1.0, 2.0 }.Select(Trained).ToArray();
        states[0].Count.ShouldBeGreaterThan(0);
        foreach (var (own, scaled) in states[0].Zip(states[1]))
        {
            using var expected = own.Tensor * Math.Pow(2, own.Degree);
            scaled.Tensor.Equals(expected).ShouldBeTrue($"{own.Name}, degree {own.Degree}");
            if (own.Name != "grad_avg" || kind == "centered") own.Tensor.abs().sum().AsDouble().ShouldBeGreaterThan(0);
        }

        IReadOnlyList<StateTensor> Trained(double factor)
        {
            var parameter = new TorchSharp.Modules.Parameter(arange(1, 7, ScalarType.Float32) * factor);
            TorchSharp.Modules.Parameter[] all = [parameter];
            optim.Optimizer optimizer = kind switch
            {
                "adam" => optim.Adam(all, 1e-3, eps: 0),
                "amsgrad" => optim.Adam(all, 1e-3, eps: 0, amsgrad: true),
                "adamw" => optim.AdamW(all, 1e-3, eps: 0),
                "sgd" => optim.SGD(all, 1e-2, momentum: 0.9),
                "rmsprop" => optim.RMSProp(all, 1e-3, eps: 0, momentum: 0.9),
                _ => optim.RMSProp(all, 1e-3, eps: 0, momentum: 0.9, centered: true),
            };
            for (int step = 1; step <= 4; step++)
            {
                parameter.grad = (arange(1, 7, ScalarType.Float32) * step / 8).sin() / factor;
                optimizer.step();
            }

            return new TorchSharpOptimizerState(optimizer, [("w", parameter)]).StateOf("w");
        }
    }

    [Fact]
    public void Attach_OptimizerOfAnotherKind_IsRefused()
    {
        using var training = new TinyTraining(ScalarType.Float32);
        using var optimizer = optim.Adagrad(training.Model.parameters());
        Should
            .Throw<WiscaException>(() => WiscaScheduler.Attach(training.Model, optimizer, training.Config))
            .Message.ShouldContain("the state of optimizer Adagrad is not known");
    }

    [Theory]
    [InlineData("nonsense", 4, 2, 8, "one *")]
    [InlineData("nonsense.*", 4, 2, 8, "no parameter matches 'nonsense.*.weight'")]
    [InlineData("model.layers.*.self_attn.q_proj", 4, 3, 8, "cannot share 3 kv heads")]
    [InlineData("model.layers.*.self_attn.q_proj", 4, 2, 16, "expected 4 heads of 16 channels")]
    public void Attach_NamesThatDoNotFit_SaysWhy(string query, int heads, int kvHeads, int headDim, string message)
    {
        using var training = new TinyTraining(ScalarType.Float32);
        using var optimizer = optim.AdamW(training.Model.parameters());
        var names = new AttentionNames(
            query, "model.layers.*.self_attn.k_proj", "model.layers.*.self_attn.v_proj", "model.layers.*.self_attn.o_proj", heads, kvHeads,
            headDim);
        Should.Throw<WiscaException>(() => WiscaScheduler.Attach(training.Model, optimizer, names)).Message.ShouldContain(message);
    }

    [Fact]
    public void Create_EpsilonForHeads_IsRefused()
    {
        using var training = new TinyTraining(ScalarType.Float32);
        using var optimizer = new AdamW(training.Parameters);
        var plan = training.Plan(TransitionKind.QueryKey, Granularity.KvHead);
        Should
            .Throw<WiscaException>(() =>
                new WiscaScheduler(training.Parameters, plan, new WiscaOptions { TransportEpsilon = true }, optimizer))
            .Message.ShouldContain("epsilon cannot follow");
    }

    [Fact]
    public void Apply_Masters_AreScaledAndTheirCopiesFollow()
    {
        using var training = new TinyTraining(ScalarType.Float32);
        using var narrow = new TinyTraining(ScalarType.Float32);
        foreach (var (_, parameter) in training.Parameters) parameter.grad = zeros_like(parameter);
        var halves = training
            .Parameters.Select(entry => (entry.Name, Parameter: nn.Parameter(entry.Parameter.detach().to(ScalarType.BFloat16))))
            .ToList();
        using var optimizer = new AdamW(halves, new AdamWOptions { Parameters = new ParameterSettings { WeightDecay = 0 } });
        foreach (var (_, parameter) in halves) parameter.grad = full_like(parameter, 0.01).detach();
        optimizer.Step(1e-3);
        var plan = training.Plan(TransitionKind.ValueOutput, Granularity.Tensor);
        var scheduler = new WiscaScheduler(halves, plan, new WiscaOptions { Transitions = plan.Options }, optimizer);
        scheduler.Apply(1).Scaled.ShouldBe(2);
        scheduler.Imbalances().ShouldAllBe(group => Math.Abs(group.Log2Ratio) < 1e-6);
        foreach (var (name, parameter) in halves)
        {
            using var rounded = optimizer.StateOf(name).Single(state => state.Name == "master").Tensor.to(ScalarType.BFloat16);
            rounded.Equals(parameter).ShouldBeTrue(name);
        }
    }
}
