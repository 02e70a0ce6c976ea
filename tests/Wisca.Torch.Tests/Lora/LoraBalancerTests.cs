using System.Collections.Immutable;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Lora;

[Collection(TorchCollection.Name)]
public sealed class LoraBalancerTests
{
    [Theory]
    [InlineData(FactorGranularity.Tensor, FactorRounding.None)]
    [InlineData(FactorGranularity.Rank, FactorRounding.None)]
    [InlineData(FactorGranularity.General, FactorRounding.None)]
    [InlineData(FactorGranularity.Rank, FactorRounding.PowerOfTwo)]
    public void Apply_InTraining_KeepsTheLossAndBalances(FactorGranularity granularity, FactorRounding rounding)
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config(dora: true));
        using var optimizer = new AdamW(lora.Parameters);
        var balancer = new LoraBalancer(
            lora,
            new LoraBalancerOptions
            {
                Granularity = granularity,
                Balance = new BalanceOptions(Criterion.L2, rounding, 30),
                Trigger = new WiscaTrigger { Every = 8 },
            },
            optimizer);
        balancer.Step(0)!.Value.Balanced.ShouldBe(0);
        for (int step = 1; step < 8; step++)
        {
            LoraRun.Backward(lora, step);
            optimizer.Step(0.01);
            balancer.Step(step).ShouldBeNull();
        }

        double loss = LoraRun.Loss(lora, 1);
        double[] before = Sizes();
        var done = balancer.Step(8)!.Value;
        (done.Balanced, done.Skipped, done.Clamped).ShouldBe((14, 0, 0));
        done.Growth.Length.ShouldBe(14);
        foreach (var (growth, ratio) in done.Growth.Zip(Sizes().Zip(before, (now, then) => now / then)))
        {
            // B is the smaller one after a few steps. The mean of ranks is another mean than that of norms.
            growth.ShouldBeGreaterThan(1);
            growth.ShouldBe(ratio, granularity == FactorGranularity.Rank ? 0.5 * ratio : 1e-6 * ratio);
        }

        if (rounding == FactorRounding.PowerOfTwo) LoraRun.Loss(lora, 1).ShouldBe(loss);
        else LoraRun.Loss(lora, 1).ShouldBe(loss, 1e-12);
        foreach (string module in lora.Modules)
        {
            var parameters = lora.Parameters.ToDictionary(entry => entry.name, entry => entry.parameter);
            double a = Norm(parameters[$"{module}.lora_A.weight"]), b = Norm(parameters[$"{module}.lora_B.weight"]);
            if (rounding == FactorRounding.PowerOfTwo) Math.Abs(Math.Log2(b / a)).ShouldBeLessThan(1.01);
            else b.ShouldBe(a, 1e-6 * a);
        }

        if (granularity == FactorGranularity.General) balancer.Imbalances().ShouldAllBe(entry => entry.Imbalance < 1e-6);

        double[] Sizes() =>
            [.. lora.Modules.Select(module => Norm(lora.Parameters.First(entry => entry.name == $"{module}.lora_B.weight").parameter))];
    }

    /// <summary>After one step at learning rate 0 the momentum is the gradient;
    /// in the new coordinates it must be the gradient there.</summary>
    [Theory]
    [InlineData(FactorGranularity.Tensor)]
    [InlineData(FactorGranularity.Rank)]
    [InlineData(FactorGranularity.General)]
    public void Apply_Momentum_BecomesTheGradientOfTheNewFactors(FactorGranularity granularity)
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config());
        LoraRun.Disturb(lora, 0.02);
        using var optimizer = new SgdMomentum(lora.Parameters);
        LoraRun.Backward(lora, 1);
        optimizer.Step(0);
        new LoraBalancer(lora, new LoraBalancerOptions { Granularity = granularity }, optimizer).Apply(1);
        LoraRun.Backward(lora, 1);
        foreach (var (name, parameter) in lora.Parameters)
        {
            double[] gradient = LoraRun.Values(parameter.grad!), momentum = LoraRun.Values(optimizer.StateOf(name).Single().Tensor);
            LoraRun.Largest(gradient, momentum).ShouldBeLessThan(1e-9 * gradient.Max(Math.Abs), name);
        }
    }

    /// <summary>The second moments of independent elements mix by the squares of the matrix.</summary>
    [Fact]
    public void Mix_SecondMoments_AreThoseOfMixedGradients()
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config());
        using var optimizer = new AdamW(lora.Parameters, new AdamWOptions { Beta2 = 0.9 });
        LoraRun.Disturb(lora, 0.05);
        LoraRun.Backward(lora, 1);
        optimizer.Step(0);
        string name = lora.Modules.First() + ".lora_B.weight";
        var parameter = lora.Parameters.Single(entry => entry.name == name).parameter;
        using var scope = NewDisposeScope();
        Tensor before = parameter.detach().clone(), v = optimizer.StateOf(name).Single(state => state.Degree == -2).Tensor.clone();
        new LoraBalancer(lora, new LoraBalancerOptions(), optimizer).Apply(1);

        // B' M = B gives M by least squares.
        var m = linalg.lstsq(parameter.detach(), before).Solution;
        LoraRun
            .Largest(LoraRun.Values(v.matmul(m * m)), LoraRun.Values(optimizer.StateOf(name).Single(state => state.Degree == -2).Tensor))
            .ShouldBeLessThan(1e-9 * v.max().AsDouble() * m.abs().max().AsDouble());
    }

    /// <summary>
    /// LoRA+ (lr_B = lambda lr_A) is what a factor s = lambda^-1/2 does under Adam at the common rate sqrt(lr_A lr_B), epsilon transported:
    /// the same function, step by step.
    /// </summary>
    [Theory]
    [InlineData(16)]
    [InlineData(3)]
    public void Rescaled_AtACommonRate_TrainsAsLoraPlus(double lambda)
    {
        const double rate = 2e-3;
        using var decoderA = TinyFamilies.Create("llama");
        using var decoderB = TinyFamilies.Create("llama");
        using LoraModel plus = LoraModel.Attach(decoderA, LoraRun.Config(), seed: 2),
            moved = LoraModel.Attach(decoderB, LoraRun.Config(), seed: 2);
        double root = Math.Sqrt(lambda);
        using var optimizerPlus = new AdamW(
            plus.Parameters,
            Options(
                new ParameterRule("*.lora_A.weight") { LearningRateMultiplier = 1 / root },
                new ParameterRule("*.lora_B.weight") { LearningRateMultiplier = root }));
        using var optimizerMoved = new AdamW(moved.Parameters, Options());
        var plan = moved.BalancePlan(perRank: false, new BalanceOptions(Criterion.L2, FactorRounding.None));
        var scheduler = new WiscaScheduler(moved.AllParameters, plan, new WiscaOptions { TransportEpsilon = true }, optimizerMoved, moved);
        scheduler.Apply(
            0,
            () =>
                new TransitionSolution(
                    plan,
                    [
                        .. plan.Exchanges.Select(exchange =>
                            (ImmutableArray<GroupBalance>)
                                [.. exchange.Groups.Select(label => new GroupBalance(label, 1, 1, 1 / root, GroupOutcome.Scaled, null))]),
                    ]));
        double first = 0, last = 0, control = 0;
        for (int step = 0; step < 50; step++)
        {
            last = LoraRun.Backward(plus, step);
            if (step == 0) first = LoraRun.Loss(plus, 99);
            LoraRun.Backward(moved, step).ShouldBe(last, 1e-11, $"step {step}");
            optimizerPlus.Step(rate);
            optimizerMoved.Step(rate);
        }

        double[] logits = LoraRun.Logits(decoderA);
        LoraRun.Largest(logits, LoraRun.Logits(decoderB)).ShouldBeLessThan(1e-10);

        // And the ratio matters: without it the function is another one.
        using var decoderC = TinyFamilies.Create("llama");
        using var plain = LoraModel.Attach(decoderC, LoraRun.Config(), seed: 2);
        using var optimizerPlain = new AdamW(plain.Parameters, Options());
        for (int step = 0; step < 50; step++)
        {
            control = LoraRun.Backward(plain, step);
            optimizerPlain.Step(rate);
        }

        Math.Abs(control - last).ShouldBeGreaterThan(1e-4);
        Math.Abs(LoraRun.Loss(plus, 99) - first).ShouldBeGreaterThan(1e-4);

        static AdamWOptions Options(params ImmutableArray<ParameterRule> rules) =>
            new()
            {
                Parameters = new ParameterSettings { WeightDecay = 0, Rules = rules },
            };
    }

    private static double Norm(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().norm().AsDouble();
    }
}
