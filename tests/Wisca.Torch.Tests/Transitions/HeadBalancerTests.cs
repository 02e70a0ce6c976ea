using Wisca.Rotations;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>A matrix between the two sides of each head, and its inverse on the other, while a model trains.</summary>
[Collection(TorchCollection.Name)]
public sealed class HeadBalancerTests
{
    /// <summary>The function is the same after each, the sides are balanced, and the average of the weights is the function it was.
    /// gpt2 has no RoPE, gpt_neox a part of it: there queries meet keys in a basis of their own too.</summary>
    [Theory]
    [InlineData("mistral", false)]
    [InlineData("qwen2", false)]
    [InlineData("gpt2", true)]
    [InlineData("gpt_neox", true)]
    public void Apply_EachFamily_KeepsTheFunctionAndBalancesTheSides(string family, bool ofQueries)
    {
        using var model = TinyFamilies.Create(family);
        var parameters = Parameters(model);
        using var optimizer = new AdamW(parameters);
        using var average = new WeightAverage(parameters, 0.5);
        using var balancer = new HeadBalancer(parameters, RotationScheduler.PlanFor(model), new HeadBalancerOptions(), optimizer, average);
        balancer.Spaces.Any(space => space.Kind == RotationKind.QueryKey).ShouldBe(ofQueries);
        balancer.Spaces.ShouldContain(space => space.Kind == RotationKind.ValueOutput);
        for (int step = 1; step <= 3; step++)
        {
            Backward(model, optimizer, step);
            optimizer.Step(3e-2);
            average.Update();
            double[] before = LoraRun.Logits(model), averaged = Averaged();
            var done = balancer.Apply(step, () => Loss(model, 1));
            Near(LoraRun.Logits(model), before, 1e-9);
            Near(Averaged(), averaged, 1e-9);
            (done.Balanced, done.Skipped, done.Clipped).ShouldBe((balancer.Spaces.Length, 0, 0));
            done.Before.ShouldBeGreaterThan(1e-3);
            done.After.ShouldBeLessThan(1e-9);
        }

        double[] Averaged()
        {
            using var swapped = average.SwapIn();
            return LoraRun.Logits(model);
        }
    }

    /// <summary>The gradient of what was mixed, by backpropagation, is the momentum that was mixed: of plain SGD with a momentum of one
    /// gradient. A momentum that stays, or follows as the weights do, is another.</summary>
    [Theory]
    [InlineData("mistral")]
    [InlineData("gpt2")]
    public void Apply_Momenta_BecomeTheGradientsOfTheNewWeights(string family)
    {
        using var model = TinyFamilies.Create(family);
        var parameters = Parameters(model);
        using var optimizer = new SgdMomentum(parameters);
        Backward(model, optimizer, 1);
        optimizer.Step(0);
        using var balancer = new HeadBalancer(parameters, RotationScheduler.PlanFor(model), new HeadBalancerOptions(), optimizer);
        var kept = parameters.ToDictionary(
            entry => entry.Name, entry => LoraRun.Values(optimizer.StateOf(entry.Name).Single().Tensor), StringComparer.Ordinal);
        balancer.Apply(1);
        Backward(model, optimizer, 1);
        foreach (string name in balancer.Spaces.SelectMany(space => space.Tensors).Distinct())
        {
            // The bias of keys moves every score of a query alike, and has no gradient but rounding.
            double[] gradient = LoraRun.Values(parameters.Single(entry => entry.Name == name).Parameter.grad!);
            double largest = gradient.Max(Math.Abs);
            if (largest < 1e-10) continue;
            LoraRun.Largest(gradient, LoraRun.Values(optimizer.StateOf(name).Single().Tensor)).ShouldBeLessThan(1e-10 * largest, name);
            LoraRun.Largest(gradient, kept[name]).ShouldBeGreaterThan(1e-4 * largest, name);
        }
    }

    [Theory]
    [InlineData(SecondMomentPolicy.Mix)]
    [InlineData(SecondMomentPolicy.Keep)]
    [InlineData(SecondMomentPolicy.Reset)]
    public void Apply_SecondMoments_FollowThePolicy(SecondMomentPolicy policy)
    {
        using var scope = NewDisposeScope();
        using var model = TinyFamilies.Create("mistral");
        var parameters = Parameters(model);
        using var optimizer = new AdamW(parameters);
        Backward(model, optimizer, 1);
        optimizer.Step(0);
        using var balancer = new HeadBalancer(
            parameters, RotationScheduler.PlanFor(model), new HeadBalancerOptions { State = policy }, optimizer);
        var space = balancer.Spaces[0];
        RotatedSlice values = space.Slices.First(slice => !slice.Dual), output = space.Slices.First(slice => slice.Dual);
        Tensor first = Second(values).clone(), second = Second(output).clone();
        balancer.Apply(1);
        if (policy == SecondMomentPolicy.Reset)
        {
            optimizer.StateOf(values.Tensor).Concat(optimizer.StateOf(output.Tensor)).ShouldBeEmpty();
            return;
        }

        var (matrix, dual) = balancer.TotalOf(space);
        if (policy == SecondMomentPolicy.Mix)
            (first, second) = (tensor(dual).square().matmul(first), second.matmul(tensor(matrix).square()));
        LoraRun.Largest(LoraRun.Values(first), LoraRun.Values(Second(values))).ShouldBeLessThan(1e-12 * first.max().item<double>());
        LoraRun.Largest(LoraRun.Values(second), LoraRun.Values(Second(output))).ShouldBeLessThan(1e-12 * second.max().item<double>());

        Tensor Second(RotatedSlice slice) => optimizer.StateOf(slice.Tensor).Single(state => state.Degree == -2).Tensor
            .narrow(slice.Axis, slice.Start, space.Size);
    }

    /// <summary>The inverse left out on one side is another function, and is taken back.</summary>
    [Fact]
    public void Apply_PlanWithoutASide_IsTakenBack()
    {
        using var model = TinyFamilies.Create("mistral");
        var parameters = Parameters(model);
        var plan = RotationScheduler.PlanFor(model);
        plan = plan with { Spaces = [.. plan.Spaces.Select(WithASide)] };
        using var optimizer = new AdamW(parameters);
        Backward(model, optimizer, 1);
        optimizer.Step(1e-2);
        using var balancer = new HeadBalancer(parameters, plan, new HeadBalancerOptions(), optimizer);
        double[] before = All();
        Should.Throw<WiscaException>(() => balancer.Apply(3, () => Loss(model, 1))).Message.ShouldEndWith("it was taken back");
        All().ShouldBe(before);
        balancer.Balancings.ShouldBe(0);

        double[] All() =>
        [
            .. parameters.SelectMany(entry => LoraRun.Values(entry.Parameter)
                .Concat(optimizer.StateOf(entry.Name).SelectMany(state => LoraRun.Values(state.Tensor)))),
        ];

        // A query head that shares the values is forgotten.
        static RotatedSpace WithASide(RotatedSpace space) => space with
        {
            Slices = [.. space.Slices.Select((slice, index) => slice with { Dual = index == 1 })],
        };
    }

    /// <summary>SOAP's momenta are the gradients of the new weights, and its Gram matrices theirs; what a basis is, its next refresh
    /// finds.</summary>
    [Fact]
    public void Apply_Soap_MomentaAndGramMatricesAreThoseOfTheNewGradients()
    {
        using var scope = NewDisposeScope();
        using var model = TinyFamilies.Create("mistral");
        var parameters = Parameters(model);
        using var optimizer = new Soap(parameters);
        for (int step = 0; step < 2; step++)
        {
            // The first step only starts the bases.
            Backward(model, optimizer, 1);
            optimizer.Step(0);
        }

        using var balancer = new HeadBalancer(parameters, RotationScheduler.PlanFor(model), new HeadBalancerOptions(), optimizer);
        string[] names = [.. balancer.Spaces.SelectMany(space => space.Tensors).Distinct()];
        var before = names.SelectMany(Kept).ToList();
        balancer.Apply(1);
        Backward(model, optimizer, 1);
        foreach (var (old, (kept, expected)) in before.Zip(names.SelectMany(Kept)))
        {
            // A momentum and a matrix of one gradient are so much of it as before.
            double part = old.Kept.Squared().sum().sqrt().AsDouble() / old.Gradient.Squared().sum().sqrt().AsDouble();
            double largest = part * expected.abs().max().AsDouble();
            (kept - (part * expected)).abs().max().AsDouble().ShouldBeLessThan(1e-10 * largest);
            (kept - old.Kept).abs().max().AsDouble().ShouldBeGreaterThan(1e-4 * largest);
        }

        IEnumerable<(Tensor Kept, Tensor Gradient)> Kept(string name)
        {
            var gradient = parameters.Single(entry => entry.Name == name).Parameter.grad!.clone();
            var space = balancer.Spaces.SelectMany(space => space.Slices).First(slice => slice.Tensor == name);
            foreach (var state in optimizer.StateOf(name))
            {
                if (state.Name == "exp_avg") yield return (state.Tensor.clone(), gradient);
                if (state.Name == (space.Axis == 0 ? "gram_left" : "gram_right"))
                {
                    yield return (
                        state.Tensor.clone(), space.Axis == 0 ? gradient.matmul(gradient.t()) : gradient.t().matmul(gradient));
                }
            }
        }
    }

    /// <summary>The masters are mixed in float64 and rounded once, and the parameters are they, rounded.</summary>
    [Fact]
    public void Apply_SixteenBits_MixesTheMastersAndRoundsThem()
    {
        using var scope = NewDisposeScope();
        using var model = TinyFamilies.Create("mistral", dtype: ScalarType.BFloat16);
        var parameters = Parameters(model);
        using var optimizer = new AdamW(parameters);
        Backward(model, optimizer, 1);
        optimizer.Step(1e-2);
        using var balancer = new HeadBalancer(parameters, RotationScheduler.PlanFor(model), new HeadBalancerOptions(), optimizer);
        var space = balancer.Spaces[0];
        RotatedSlice values = space.Slices.First(slice => !slice.Dual), output = space.Slices.First(slice => slice.Dual);
        double[] logits = LoraRun.Logits(model);
        Tensor first = Part(values).to(ScalarType.Float64), second = Part(output).to(ScalarType.Float64);
        balancer.Apply(1);
        var (matrix, dual) = balancer.TotalOf(space);
        LoraRun.Values(Part(values)).ShouldBe(LoraRun.Values(tensor(matrix).matmul(first).to(ScalarType.Float32)));
        LoraRun.Values(Part(output)).ShouldBe(LoraRun.Values(second.matmul(tensor(dual)).to(ScalarType.Float32)));
        foreach (string name in space.Tensors)
        {
            LoraRun.Values(parameters.Single(entry => entry.Name == name).Parameter)
                .ShouldBe(LoraRun.Values(Master(name).to(ScalarType.BFloat16)));
        }

        Near(LoraRun.Logits(model), logits, 3e-2);

        Tensor Master(string name) => optimizer.StateOf(name).Single(state => state.Name == "master").Tensor;

        Tensor Part(RotatedSlice slice) => Master(slice.Tensor).narrow(slice.Axis, slice.Start, space.Size);
    }

    private static List<(string Name, Parameter Parameter)> Parameters(Decoder model) =>
        [.. model.named_parameters().Select(entry => (entry.name, entry.parameter))];

    private static void Backward(Decoder model, Optimizer optimizer, int seed)
    {
        using var scope = NewDisposeScope();
        optimizer.ZeroGradients();
        var ids = LoraRun.Ids(seed);
        using var loss = model.Loss(ids.narrow(1, 0, 9), ids.narrow(1, 1, 9));
        (loss.Total / loss.Targets).backward();
    }

    private static double Loss(Decoder model, int seed)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var ids = LoraRun.Ids(seed);
        using var loss = model.Loss(ids.narrow(1, 0, 9), ids.narrow(1, 1, 9));
        return loss.Mean;
    }

    private static void Near(double[] values, double[] expected, double tolerance) =>
        LoraRun.Largest(values, expected).ShouldBeLessThan(tolerance * expected.Max(Math.Abs));
}
