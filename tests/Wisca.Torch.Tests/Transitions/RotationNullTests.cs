using TorchSharp;
using Wisca.Rotations;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>
/// Whom a rotation changes anything for. An optimizer that treats a matrix as one goes on as if nothing had happened; one that goes
/// element by element does not. Gains act element by element in any case: here they are ones, and stay.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class RotationNullTests
{
    private const int Before = 10, Steps = 60;

    [Theory]
    [InlineData("sgd", "mistral")]
    [InlineData("momentum", "mistral")]
    [InlineData("muon", "mistral")]
    [InlineData("soap", "mistral")]
    [InlineData("sgd", "gpt_neox")]
    [InlineData("momentum", "gpt_neox")]
    [InlineData("momentum", "qwen2_moe")]
    public void Apply_EquivariantOptimizer_ChangesNoLoss(string optimizer, string family)
    {
        double[] plain = Losses(optimizer, family, null);
        foreach (var source in (RotationSource[])[RotationSource.Random, RotationSource.Gradient])
        {
            double[] rotated = Losses(optimizer, family, source);
            plain.Zip(rotated, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-9, source.ToString());
            rotated[..Before].ShouldBe(plain[..Before]);
        }

        Math.Abs(plain[Before] - plain[^1]).ShouldBeGreaterThan(1e-3);
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("lion")]
    public void Apply_OptimizerThatGoesElementByElement_ChangesIt(string optimizer)
    {
        double[] plain = Losses(optimizer, "mistral", null), rotated = Losses(optimizer, "mistral", RotationSource.Random);
        plain.Zip(rotated, (a, b) => Math.Abs(a - b)).Max().ShouldBeGreaterThan(1e-4);

        // Not yet in the loss that follows the rotation itself.
        plain[..(Before + 1)].Zip(rotated, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-12);
    }

    /// <summary>
    /// A gain that is folded into its readers, with momenta and second moments that follow and the readers' own learning rate and epsilon:
    /// the training goes on as it would have with that gain frozen. Where one of them is left out it does not.
    /// </summary>
    [Theory]
    [InlineData("nothing")]
    [InlineData("state")]
    [InlineData("rate")]
    public void Fold_WithTransportedState_IsTheModelWithItsGainsFrozen(string left)
    {
        double[] frozen = Folded(false), folded = Folded(true, left);
        double difference = frozen.Zip(folded, (a, b) => Math.Abs(a - b)).Max();
        if (left == "nothing") difference.ShouldBeLessThan(1e-9);
        else difference.ShouldBeGreaterThan(1e-5);
        (frozen[Before] - frozen[^1]).ShouldBeGreaterThan(1e-3);
    }

    private static double[] Folded(bool folds, string left = "nothing")
    {
        using var model = TinyFamilies.Create("mistral");
        var parameters = model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        var space = RotationScheduler.PlanFor(model).Spaces[0];
        var gains = space.Gains.Select((gain, index) => (gain.Tensor, Value: 0.7 + (0.2 * index))).ToDictionary(StringComparer.Ordinal);
        using (no_grad())
        {
            foreach (var (name, value) in gains) parameters.Single(entry => entry.name == name).parameter.fill_(value.ToScalar());
        }

        using var optimizer = new AdamW(parameters, new AdamWOptions { Parameters = new ParameterSettings { WeightDecay = 0.1 } });
        using var scheduler = new RotationScheduler(
            parameters, new RotationPlan([space], []),
            new RotationOptions
            {
                Source = RotationSource.Identity,
                Gains = GainPolicy.Fold,
                State = left == "state" ? SecondMomentPolicy.Reset : SecondMomentPolicy.Keep,
                Start = Before,
                Every = Steps,
            },
            optimizer);
        return Run(model, optimizer, step =>
        {
            foreach (string gain in gains.Keys) parameters.Single(entry => entry.name == gain).parameter.grad = null;
            optimizer.Step(2e-3);
            if (!folds || scheduler.Step(step + 1) is null) return;
            foreach (var (tensor, gain) in space.Slices.Where(slice => slice.Gain is not null)
                .Select(slice => (slice.Tensor, slice.Gain!)).Distinct())
            {
                // The weight was multiplied by the gain: so are its steps.
                if (left != "rate") optimizer.MultiplyLearningRate(tensor, gains[gain]);
                optimizer.MultiplyEpsilon(tensor, 1 / gains[gain]);
            }
        });
    }

    private static double[] Losses(string kind, string family, RotationSource? source)
    {
        using var model = TinyFamilies.Create(family);
        var parameters = model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        var plan = RotationScheduler.PlanFor(model);

        // Ones that are not trained; biases of norms are, and follow.
        plan = plan with
        {
            Spaces =
            [
                .. plan.Spaces.Select(space => space with { Gains = [.. space.Gains.Select(gain => gain with { MustBeUniform = true })] }),
            ],
        };
        using (no_grad())
        {
            foreach (var gain in plan.Spaces[0].Gains) parameters.Single(entry => entry.name == gain.Tensor).parameter.fill_(1.ToScalar());
        }

        var settings = new ParameterSettings { WeightDecay = 0.1 };
        using Optimizer optimizer = kind switch
        {
            "adamw" => new AdamW(parameters, new AdamWOptions { Parameters = settings }),
            "soap" => new Soap(parameters, new SoapOptions { Refresh = 4, Parameters = settings }),
            "lion" => new Lion(parameters, new LionOptions { Parameters = settings }),
            "muon" => new Muon(
                parameters,
                new MuonOptions
                {
                    HeadPatterns = [],
                    AdamW = new AdamWOptions { Parameters = settings with { EmbeddingPatterns = [] } },
                }),
            _ => new SgdMomentum(
                parameters,
                new SgdMomentumOptions { Momentum = kind == "sgd" ? 0 : 0.9, DecoupledDecay = true, Parameters = settings }),
        };
        using var scheduler = new RotationScheduler(
            parameters, plan,
            new RotationOptions
            {
                Source = source ?? RotationSource.Identity,
                Values = true,
                Start = Before,
                Every = Steps,
            },
            optimizer);
        return Run(model, optimizer, step =>
        {
            scheduler.Observe(step);
            optimizer.ClipGradients(1);
            optimizer.Step(kind switch { "sgd" => 3e-2, "momentum" => 1e-2, "soap" => 3e-4, _ => 2e-3 });
            if (source is not null) scheduler.Step(step + 1);
        });
    }

    private static double[] Run(Decoder model, Optimizer optimizer, Action<int> update)
    {
        var random = new Random(5);
        return
        [
            .. Enumerable.Range(0, Steps).Select(step =>
            {
                using var scope = NewDisposeScope();
                optimizer.ZeroGradients();
                var ids = tensor([.. Enumerable.Range(0, 26).Select(_ => (long)random.Next(TinyFamilies.Vocabulary / 2))], [2, 13]);
                var loss = nn.functional.cross_entropy(
                    model.forward(ids.narrow(1, 0, 12)).flatten(0, 1), ids.narrow(1, 1, 12).flatten());
                loss.backward();
                update(step);
                return loss.AsDouble();
            }),
        ];
    }
}
