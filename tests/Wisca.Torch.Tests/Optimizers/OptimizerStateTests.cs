using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Optimizers;

[Collection(TorchCollection.Name)]
public sealed class OptimizerStateTests : IClassFixture<OneThread>
{
    private static readonly ParameterSettings Settings = new() { WeightDecay = 0.1 };

    public static TheoryData<string, ScalarType> Cases()
    {
        var cases = new TheoryData<string, ScalarType>();
        foreach (string kind in KnownOptimizers.All)
        {
            cases.Add(kind, ScalarType.Float32);
            cases.Add(kind, ScalarType.BFloat16);
        }

        return cases;
    }

    /// <summary>Also inside a scope, which must not take the state with it.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Load_InTheMiddle_ContinuesBitForBit(string kind, ScalarType type)
    {
        using var folder = new TemporaryFolder();
        string path = folder["optimizer.safetensors"];
        using ToyModel whole = new(type), half = new(type);
        using var straight = KnownOptimizers.Create(kind, whole.Parameters, Settings);
        Train(whole, straight, 5);
        straight.MultiplyLearningRate(ToyModel.First, 1.3);
        if (straight.HasEpsilon(ToyModel.Bias)) straight.MultiplyEpsilon(ToyModel.Bias, 0.7);
        straight.Save(path);
        straight.Save(path);
        Directory.GetFileSystemEntries(folder.FullPath).ShouldBe([path]);
        using (var scope = NewDisposeScope())
        {
            using var ungraded = no_grad();
            foreach (var (from, to) in whole.Parameters.Zip(half.Parameters)) to.parameter.copy_(from.parameter);
        }

        using var resumed = KnownOptimizers.Create(kind, half.Parameters, Settings);
        using (var scope = NewDisposeScope()) resumed.Load(path);
        foreach (string name in straight.ParameterNames)
        {
            resumed.StepsOf(name).ShouldBe(5);
            foreach (var (a, b) in straight.StateOf(name).Zip(resumed.StateOf(name)))
            {
                (b.Name, b.Degree, b.Tensor.dtype).ShouldBe((a.Name, a.Degree, a.Tensor.dtype));
                b.Tensor.bytes.SequenceEqual(a.Tensor.bytes).ShouldBeTrue();
            }
        }

        Train(whole, straight, 5);
        Train(half, resumed, 5);
        foreach (var (a, b) in whole.Parameters.Zip(half.Parameters))
            ToyModel.Values(b.parameter).ShouldBe(ToyModel.Values(a.parameter), a.name);
    }

    [Fact]
    public void Load_BeforeTheFirstStep_IsEmpty()
    {
        using var folder = new TemporaryFolder();
        using var model = new ToyModel();
        using AdamW fresh = new(model.Parameters), used = new(model.Parameters);
        fresh.Save(folder["fresh"]);
        Train(model, used, 2);
        used.Load(folder["fresh"]);
        used.StateOf(ToyModel.First).ShouldBeEmpty();
        used.StepsOf(ToyModel.First).ShouldBe(0);
    }

    [Fact]
    public void Load_OtherModel_ListsEveryDifference()
    {
        using var folder = new TemporaryFolder();
        using var model = new ToyModel();
        using var saved = new AdamW(model.Parameters);
        Train(model, saved, 1);
        saved.Save(folder["state"]);
        using var wider = ToyModel.Fill([6, 7], ScalarType.Float64, 1);
        using var single = ToyModel.Fill([4, 6], ScalarType.Float32, 1);
        using var extra = ToyModel.Fill([2], ScalarType.Float64, 1);
        using var other = new AdamW([(ToyModel.First, wider), (ToyModel.Second, single), ("extra", extra)]);
        var exception = Should.Throw<WiscaException>(() => other.Load(folder["state"]));
        exception.Message.ShouldBe(
            $"{folder["state"]}: the state is not that of this adamw: {ToyModel.Bias} is not a parameter of the model; "
            + $"{ToyModel.First}/exp_avg is [6, 5] F64, expected [6, 7] F64; "
            + $"{ToyModel.First}/exp_avg_sq is [6, 5] F64, expected [6, 7] F64; "
            + $"{ToyModel.Second}/exp_avg is [4, 6] F64, expected [4, 6] F32; "
            + $"{ToyModel.Second}/exp_avg_sq is [4, 6] F64, expected [4, 6] F32; "
            + $"no state of extra; {ToyModel.Bias}/exp_avg [4] is not expected; {ToyModel.Bias}/exp_avg_sq [4] is not expected");
        other.StateOf(ToyModel.First).ShouldBeEmpty();
    }

    [Fact]
    public void Load_OtherKindOrFile_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = new ToyModel();
        using var adam = new AdamW(model.Parameters);
        using var lion = new Lion(model.Parameters);
        adam.Save(folder["adam"]);
        Should.Throw<WiscaException>(() => lion.Load(folder["adam"])).Message.ShouldEndWith("the state is of adamw, expected lion");
        Should.Throw<WiscaException>(() => lion.Load(folder["nothing"])).Message.ShouldEndWith("does not exist");
        Should.Throw<WiscaException>(() => lion.Save(folder["no", "folder"])).Message.ShouldContain("cannot be written");

        Write("bare", null);
        Should.Throw<WiscaException>(() => adam.Load(folder["bare"])).Message.ShouldEndWith("the file holds no optimizer state");
        const string unit = "\"learning_rate_factor\": 1, \"decay_factor\": 1, \"epsilon_factor\": 1";
        foreach (
            string json in new[] { "[]", "{\"a\": 1}", "{\"a\": {\"steps\": 1}}", $"{{\"a\": {{\"steps\": 1, {unit}, \"more\": 1}}}}" })
        {
            Write("damaged", json);
            Should
                .Throw<WiscaException>(() => adam.Load(folder["damaged"]))
                .Message.ShouldContain("wisca.parameters in the metadata is not what adamw writes");
        }

        foreach (
            string json in new[]
            {
                "null",
                "{\"a\": null}",
                $"{{\"a\": {{\"steps\": -1, {unit}}}}}",
                $"{{\"a\": {{\"steps\": 1, {unit.Replace("1", "0", StringComparison.Ordinal)}}}}}",
            })
        {
            Write("damaged", json);
            Should
                .Throw<WiscaException>(() => adam.Load(folder["damaged"]))
                .Message.ShouldContain("in the metadata holds a negative step count");
        }

        void Write(string name, string? json)
        {
            File.Delete(folder[name]);
            var metadata = json is null
                ? null
                : new Dictionary<string, string> { ["wisca.optimizer"] = "adamw", ["wisca.parameters"] = json };
            using var writer = new SafetensorsWriter(folder[name], SafetensorsHeader.Create([], metadata));
            writer.Complete();
        }
    }

    private static void Train(ToyModel model, Optimizer optimizer, int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            optimizer.ZeroGradients();
            model.Backward();
            optimizer.Step(1e-2);
        }
    }
}
