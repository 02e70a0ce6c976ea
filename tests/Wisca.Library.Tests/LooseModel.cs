using System.Text.Json.Nodes;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Library.Tests;

/// <summary>A small Llama as another program holds it: arrays by name. It measures by plain loops.</summary>
internal sealed class LooseModel : ITensorSource
{
    public const int Hidden = 12, Heads = 4, KvHeads = 2, HeadDim = 6, Inner = 10, Vocabulary = 11, Layers = 2;

    public const string Config = """
        {
          "model_type": "llama", "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
          "head_dim": 6, "intermediate_size": 10, "vocab_size": 11, "rms_norm_eps": 1e-5, "hidden_act": "silu",
          "tie_word_embeddings": false
        }
        """;

    private readonly Random _random = new(7);

    public LooseModel()
    {
        Add("model.embed_tokens.weight", 1, Vocabulary, Hidden);
        for (int layer = 0; layer < Layers; layer++)
        {
            string name = $"model.layers.{layer}.";
            Gain(name + "input_layernorm.weight");
            Add(name + "self_attn.q_proj.weight", 0.5, Heads * HeadDim, Hidden);
            Add(name + "self_attn.k_proj.weight", 0.1 + layer, KvHeads * HeadDim, Hidden);
            Add(name + "self_attn.v_proj.weight", 0.02, KvHeads * HeadDim, Hidden);
            Add(name + "self_attn.o_proj.weight", 0.7, Hidden, Heads * HeadDim);
            Gain(name + "post_attention_layernorm.weight");
            Add(name + "mlp.gate_proj.weight", 0.2, Inner, Hidden);
            Add(name + "mlp.up_proj.weight", 0.9, Inner, Hidden);
            Add(name + "mlp.down_proj.weight", 0.1, Hidden, Inner);
        }

        Gain("model.norm.weight");
        Add("lm_head.weight", 0.3, Vocabulary, Hidden);
    }

    public SortedDictionary<string, (int[] Shape, double[] Values)> Tensors { get; } = new(StringComparer.Ordinal);

    /// <summary>A request for a plan.</summary>
    /// <param name="transitions">JSON; null for none.</param>
    /// <param name="rotations">JSON; null for none.</param>
    public string Request(string? transitions, string? rotations = null)
    {
        var request = new JsonObject
        {
            ["config"] = JsonNode.Parse(Config),
            ["tensors"] = new JsonArray([.. Tensors.Select(tensor => (JsonNode?)new JsonObject
            {
                ["name"] = tensor.Key,
                ["shape"] = new JsonArray([.. tensor.Value.Shape.Select(length => (JsonNode?)length)]),
                ["dtype"] = "F32",
            })]),
        };
        if (transitions is not null) request["transitions"] = JsonNode.Parse(transitions);
        if (rotations is not null) request["rotations"] = JsonNode.Parse(rotations);
        return request.ToJsonString();
    }

    public Dtype DtypeOf(string tensor) => Dtype.F32;

    public int LengthOf(string tensor, int axis) => Tensors[tensor].Shape[^(Tensors[tensor].Shape.Length == 2 && axis == 0 ? 2 : 1)];

    public AxisStatistics Measure(string tensor, int axis, int parts = 1, bool addsOne = false, double[]? others = null)
    {
        var (shape, values) = Tensors[tensor];
        int rows = shape[0], columns = shape.Length == 1 ? 1 : shape[1], length = axis == 0 ? rows : columns;
        double[] sums = new double[length], squares = new double[length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                double value = values[(row * columns) + column] * (others is null ? 1 : others[axis == 0 ? column : row]);
                sums[axis == 0 ? row : column] += Math.Abs(value);
                squares[axis == 0 ? row : column] += value * value;
            }
        }

        return new AxisStatistics(sums, squares, new double[length], new double[length], axis == 0 ? columns : rows)
        {
            SumOfSecondMoments = [.. sums.Select((sum, index) => 1 + (sum * index))],
        };
    }

    public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups)
    {
        // What they are does not matter here, only that they come through.
        double[] norms = new double[groups];
        var measured = Measure(tensor, axis);
        for (int index = 0; index < groupOfIndex.Length; index++)
        {
            if (groupOfIndex[index] >= 0) norms[groupOfIndex[index]] += Math.Sqrt(measured.SumOfSquares[index]);
        }

        return norms;
    }

    /// <summary>Answers a request as a program would.</summary>
    public double[] Answer(SolveState state) =>
    [
        .. state.Measures!.SelectMany(measure =>
        {
            if (measure.Kind == "spectral") return SpectralNorms(measure.Tensor, measure.Axis, measure.GroupOfIndex!, measure.Groups);
            var measured = Measure(measure.Tensor, measure.Axis, measure.Parts, measure.AddsOne, measure.Others);
            return (double[])
            [
                .. measured.SumOfAbsolutes, .. measured.SumOfSquares, .. measure.SecondMoments ? measured.SumOfSecondMoments! : [],
            ];
        }),
    ];

    /// <summary>Answers until a solve is done.</summary>
    /// <returns>How often it asked or told.</returns>
    public int Solve(SolveSession solve)
    {
        int rounds = 1;
        for (var state = solve.Next(); !state.Done; state = solve.Next(), rounds++) solve.Provide(Answer(state));
        return rounds;
    }

    private void Add(string name, double deviation, int rows, int columns) => Tensors.Add(
        name,
        (
            [rows, columns],
            [.. Enumerable.Range(0, rows * columns).Select(_ => (double)(float)((_random.NextDouble() - 0.5) * deviation))]));

    private void Gain(string name) => Tensors.Add(
        name, ([Hidden], [.. Enumerable.Range(0, Hidden).Select(_ => (double)(float)(0.5 + _random.NextDouble()))]));
}
