using System.Text;
using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures;

/// <summary>
/// Every field of every table is read: whichever value is changed or left out, either the table is refused, or what the tables' list says
/// changes, or some tiny model of the family resolves to something else.
/// </summary>
public sealed class TableFieldTests
{
    public static TheoryData<string> Tables => [.. KnownArchitectures.All.Select(table => table.Name)];

    [Theory]
    [MemberData(nameof(Tables))]
    public void Resolve_AnyFieldChangedOrLeftOut_MakesADifference(string name)
    {
        using var folder = new TemporaryFolder();
        var table = KnownArchitectures.All.Single(candidate => candidate.Name == name);
        var models = TinyFamilies.ByName.Values.Where(family => TextModel.Find(ModelConfig.Parse(family.ConfigJson()), null).Table == table)
            .Select((family, index) => TinyCheckpoint.Create(family, folder[$"{index}"])).ToList();
        try
        {
            var json = JsonNode.Parse(KnownArchitectures.ReadJson(name))!;
            string expected = Outcome(name, json, models)!;
            string[] unread = [.. Mutants(json).Where(mutant => Outcome(name, mutant.Json, models) is { } outcome && outcome == expected)
                .Select(mutant => mutant.What)];
            unread.ShouldBeEmpty(name);
        }
        finally
        {
            models.ForEach(model => model.Dispose());
        }
    }

    [Fact]
    public void All_ModelTypesAndPrefixes_AreThoseOfSomeTinyModel()
    {
        var types = KnownArchitectures.All.SelectMany(table => table.ModelTypes.Concat(table.Wrappers ?? [])).ToList();
        types.Order().ShouldBe(types.Order().Distinct());
        // Those that only stand in text_config are not model types of a folder.
        types.Except(TinyFamilies.ByName.Values.Select(family => family.ModelType))
            .Except(SavedModel.All.Select(model => model.Config.FindString("model_type")))
            .ShouldBeEmpty();
        foreach (var table in KnownArchitectures.All) table.ModelTypes.ShouldContain(table.Name);
    }

    /// <summary>What the list shows of a table and what the models resolve to; null where the table is refused.</summary>
    private static string? Outcome(string name, JsonNode json, List<Checkpoint> models)
    {
        ArchitectureTable table;
        try
        {
            table = ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "mutant.json");
        }
        catch (WiscaException)
        {
            return null;
        }

        var text = new StringBuilder();
        text.AppendLine(
            $"{table.Name} {string.Join(",", table.ModelTypes)} {string.Join(",", table.Wrappers ?? [])} {table.Description} "
            + $"{table.Rope.Pairs}");
        foreach (var rule in table.Refuse)
            text.AppendLine($"{string.Join("+", rule.Transitions ?? [])} {rule.Stream} {rule.When?.Key} {rule.When?.Tensor}");
        foreach (var model in models) text.AppendLine(Resolve(model.Config, model.Tensors.Select(tensor => tensor.Info), table));
        string[] heads =
            [.. KnownArchitectures.All.Single(known => known.Name == name).ModelWeights.Where(weight => weight.Tied is not null)
                .Select(weight => weight.Name + ".weight").Distinct()];
        foreach (var model in SavedModel.All.Where(model => TextModel.Find(model.Config, null).Table.Name == name))
        {
            text.AppendLine(Resolve(model.Config, model.Tensors, table));
            foreach (var config in model.Terse) text.AppendLine(Resolve(config, model.Tensors, table));
            foreach (string head in heads)
            {
                var others = model.Tensors.Where(tensor => !heads.Contains(tensor.Name));
                text.AppendLine(Resolve(model.WithoutTying, [.. others, new TensorInfo(head, Dtype.F32, [7, 32], 0, 0)], table));
            }
        }

        foreach (string wrapper in (IEnumerable<string>)[.. table.Wrappers ?? [], "a_wrapper"])
        {
            foreach (string type in (string[])["", $",\"text_config\":{{\"model_type\":\"{table.Name}\"}}", ",\"text_config\":{}"])
                text.AppendLine(Sizes($"{{\"model_type\":\"{wrapper}\"{type}}}", table));
        }

        return text.ToString();
    }

    /// <summary>The sizes of a wrapper that states none.</summary>
    private static string Sizes(string config, ArchitectureTable table)
    {
        try
        {
            return ModelSizes.Read(ModelConfig.Parse(config), table).ToString();
        }
        catch (WiscaException exception)
        {
            return exception.Message;
        }
    }

    private static string Resolve(ModelConfig config, IEnumerable<TensorInfo> tensors, ArchitectureTable table)
    {
        try
        {
            var layout = ModelLayout.Resolve(config, tensors, table);
            string layers = string.Join(
                "\n",
                layout.Layers.Select(layer =>
                    $"{layer.Index} {Text(layer.Query)} {Text(layer.Key)} {Text(layer.Value)} {Text(layer.Output)} {layer.RotaryDims} "
                    + $"{string.Join(";", layer.Refusals.OrderBy(entry => entry.Key))}"));
            return $"{layout.Prefix} {layout.HiddenSize} {layout.Heads} {layout.KvHeads} {layout.HeadDim} {layout.RopePairs} "
                + $"{string.Join(";", layout.Notes)}\n{layers}\n{layout.GatesValues} {layout.StreamRefusal}\n{TextOf(layout.Map)}";
        }
        catch (WiscaException exception)
        {
            return exception.Message;
        }

        static string TextOf(ModelMap map) =>
            string.Join(
                "\n",
                (object?[])
                    [
                        .. map.Axes, .. map.Norms, .. map.Hidden, .. map.Embeddings, map.IsTied, map.Head, map.HeadReads, "-",
                        .. map.Packed, "-",
                        .. map.Undeclared,
                    ]);

        static string Text(Projection projection) =>
            $"{projection.Weight} {projection.Bias} {projection.Axis} {string.Join(",", projection.Starts)}";
    }

    private static IEnumerable<(string What, JsonNode Json)> Mutants(JsonNode json)
    {
        foreach (var (path, node) in Nodes(json, []))
        {
            string what = string.Join(".", path);
            if (path.Length == 0) continue;
            yield return ($"{what} left out", Edited((parent, key) => Remove(parent, key)));
            if (node is not JsonValue value) continue;
            JsonNode changed = value.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.String => value.GetValue<string>() + "x",
                System.Text.Json.JsonValueKind.Number => value.GetValue<double>() is 0 ? 1 : value.GetValue<double>() / 2,
                _ => !value.GetValue<bool>(),
            };
            yield return ($"{what} changed to {changed.ToJsonString()}", Edited((parent, key) => Set(parent, key, changed)));

            JsonNode Edited(Action<JsonNode, object> edit)
            {
                var copy = json.DeepClone();
                var parent = path[..^1].Aggregate(copy, (current, key) => key is int index ? current[index]! : current[(string)key]!);
                edit(parent, path[^1]);
                return copy;
            }
        }

        static void Remove(JsonNode parent, object key)
        {
            if (key is int index) parent.AsArray().RemoveAt(index);
            else parent.AsObject().Remove((string)key);
        }

        static void Set(JsonNode parent, object key, JsonNode value)
        {
            if (key is int index) parent[index] = value;
            else parent[(string)key] = value;
        }
    }

    private static IEnumerable<(object[] Path, JsonNode Node)> Nodes(JsonNode node, object[] path)
    {
        yield return (path, node);
        var children = node switch
        {
            JsonObject properties => properties.Select(property => ((object)property.Key, property.Value!)),
            JsonArray items => items.Select((item, index) => ((object)index, item!)),
            _ => [],
        };
        foreach (var (key, child) in children)
        {
            foreach (var descendant in Nodes(child, [.. path, key])) yield return descendant;
        }
    }
}
