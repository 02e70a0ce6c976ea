using System.Text.Json;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

public sealed class InspectVerbTests
{
    [Fact]
    public async Task Inspect_Json_HasTheNormsOfThePaper()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Shards = 2 };
        model.Write(folder["model"]);
        var run = await CommandRun.RunAsync("inspect", folder["model"], "--json");
        run.ExitCode.ShouldBe(0);
        var json = JsonDocument.Parse(run.Output).RootElement;
        json.GetProperty("kv_heads").GetInt32().ShouldBe(2);
        json.GetProperty("shards").GetArrayLength().ShouldBe(2);
        json.GetProperty("parameters").GetInt64().ShouldBe(model.Tensors().Sum(tensor => tensor.Shape.Aggregate(1L, (a, b) => a * b)));
        var tensors = model.Tensors().ToDictionary(tensor => tensor.Name, tensor => tensor);
        foreach (var layer in json.GetProperty("layers").EnumerateArray())
        {
            foreach (string projection in (string[])["q", "k", "v", "o"])
            {
                double expected = 0;
                byte[] bytes = tensors[SmallLlama.Weight(layer.GetProperty("layer").GetInt32(), projection)].Bytes;
                for (int i = 0; i < bytes.Length; i += 4) expected += Math.Abs(BitConverter.ToSingle(bytes, i));
                layer.GetProperty("l1").GetProperty(projection).GetDouble().ShouldBe(expected, 1e-9 * expected);
            }

            layer
                .GetProperty("exact")
                .GetProperty("qk")
                .EnumerateArray()
                .Select(name => name.GetString())
                .ShouldBe(["tensor", "kv-head", "pair"]);
            layer
                .GetProperty("exact")
                .GetProperty("vo")
                .EnumerateArray()
                .Select(name => name.GetString())
                .ShouldBe(["tensor", "kv-head", "channel"]);
        }
    }

    [Fact]
    public async Task Inspect_UnknownModelType_NamesTheNearestAndTheWayOut()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama();
        TestCheckpoint.Write(folder["model"], model.Config.Replace("\"llama\"", "\"lama\"", StringComparison.Ordinal), model.Tensors());
        var run = await CommandRun.RunAsync("inspect", folder["model"]);
        run.ShouldFail("model_type 'lama' is not known; the nearest known ones are llama");
        run.ErrorLines[1].ShouldContain("--architecture");

        // The way out works: the built-in table, under the new name.
        var shown = await CommandRun.RunAsync("architectures", "llama", "--json");
        File.WriteAllText(folder["lama.json"], shown.Output);
        (await CommandRun.RunAsync("inspect", folder["model"], "--architecture", folder["lama.json"])).ExitCode.ShouldBe(0);
    }
}
