using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Torch.Models;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Lora;

/// <summary>Takes an adapter from disk into a decoder.</summary>
internal sealed class LoraReader
{
    private readonly LoraModel _lora;
    private readonly AdapterBinding _binding;
    private readonly Dictionary<string, DenseLayer> _dense;
    private readonly Dictionary<string, EmbeddingTable> _tables;
    private readonly Dictionary<string, Parameter> _parameters;
    private readonly BaseNames _names;

    public LoraReader(LoraModel lora, AdapterBinding binding)
    {
        (_lora, _binding) = (lora, binding);
        _dense = lora.DenseLayers();
        _tables = lora.Decoder.named_modules()
            .Where(entry => entry.module is EmbeddingTable)
            .ToDictionary(entry => entry.name, entry => (EmbeddingTable)entry.module, StringComparer.Ordinal);
        _parameters = lora.Decoder.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter, StringComparer.Ordinal);
        _names = new BaseNames(_parameters.Keys);
    }

    public void Read()
    {
        using var ungraded = no_grad();
        var tied = ReadTiedHead();
        foreach (var bound in _binding.Modules.Where(bound => !bound.Module.IsEmbedding)) ReadModule(bound);
        foreach (var bound in _binding.Modules.Where(bound => bound.Module.IsEmbedding)) ReadTable(bound, tied);
        foreach (var (tensor, weight) in _binding.Saved)
        {
            string name = Find(weight.Info.Name);
            WeightLoader.Copy(tensor, _parameters[name]);
            _lora.AddSaved(name, _parameters[name]);
        }

        foreach (var (tokens, table) in _binding.Tokens)
        {
            _lora.Untrained = "rows of an embedding (trainable_token_indices)";
            var parameter = _parameters[Find(table.Info.Name)];
            _lora.Remember(parameter);
            Place(tokens, parameter);
        }

        if (tied is not null && !_binding.Modules.Any(bound => bound.Module.IsEmbedding && bound.Weight == _binding.UntiedHead!.Embedding))
            _lora.AddTable(Table(_binding.UntiedHead!.Embedding), tied);
    }

    private void ReadModule(BoundModule bound)
    {
        var module = bound.Module;
        string name = ModuleName(bound.Weight);
        if (!_dense.TryGetValue(name, out var linear))
            throw new WiscaException(
                $"module '{module.Name}' of the adapter is no linear projection of the model",
                "only those can have factors");
        var layer = new LowRankLayer(_lora, name, linear, module.Rank, module.Scale, module.Magnitude is not null);
        _lora.Add(layer);
        if (!_binding.Adapter.Parameters.IsEmpty) _lora.Untrained = "factors of parameters (target_parameters)";
        else if (!_lora.Config.Adapts(name)) _lora.Untrained = "other names for its modules than the model";
        if (module.A.Info.ElementCount == layer.A.numel() && module.B.Info.ElementCount == layer.B.numel())
        {
            WeightLoader.Copy(module.A, layer.A);
            WeightLoader.Copy(module.B, layer.B);
        }
        else
        {
            layer.A.copy_(tensor(module.ValuesOfA(), layer.A.shape));
            layer.B.copy_(tensor(module.ValuesOfB(), layer.B.shape));
        }

        if (module.Magnitude is { } magnitude) WeightLoader.Copy(magnitude, layer.Magnitude!);
        if (module.Bias is { } bias)
        {
            _lora.Untrained = "a bias of B's own (lora_bias)";
            layer.Bias = zeros(bias.Info.Shape.ToArray(), layer.B.dtype).DetachFromDisposeScope();
            WeightLoader.Copy(bias, layer.Bias);
        }

        if (!bound.KeepsBase) ReplaceBase(bound, linear.Weight);
    }

    private void ReadTable(BoundModule bound, LowRankTable? tied)
    {
        _lora.Untrained = "factors of an embedding";
        var table = Table(bound.Weight);
        bool ties = _lora.Decoder.Config.TiedHead && _binding.UntiedHead is null && IsInput(table);
        if (ties && bound.Module.Magnitude is not null)
            throw new WiscaException("DoRA of an embedding that is tied to the output projection is not computed here", "merge it");
        _lora.AddTable(table, new LowRankTable
        {
            Rows = Factors(bound.Module, table.Weight),
            Head = tied?.Head,
            HeadTable = tied?.HeadTable,
            HeadFollows = ties,
        });
        if (!bound.KeepsBase) ReplaceBase(bound, table.Weight);
    }

    /// <summary>What the output projection computes where the base ties it and the adapter does not; null where it stays tied.</summary>
    private LowRankTable? ReadTiedHead()
    {
        if (_binding.UntiedHead is not { } head) return null;
        _lora.Untrained = "something of its own for one of two tied matrices";
        var weight = Table(head.Embedding).Weight;
        var own = weight.detach().clone().DetachFromDisposeScope();
        if (head.Replacement is { } replacement) WeightLoader.Copy(replacement, own);
        if (head.Tokens is { } tokens) Place(tokens, own);
        return new LowRankTable { Head = head.Module is { } module ? Factors(module.Module, weight) : null, HeadTable = own };
    }

    private void ReplaceBase(BoundModule bound, Parameter weight)
    {
        _lora.Untrained = "a base of its own (a copy of it, or what PiSSA or OLoRA leave of it)";
        _lora.Remember(weight);
        double[] values = new double[bound.Columns];
        for (int row = 0; row < bound.Rows; row++)
        {
            using var scope = NewDisposeScope();
            bound.ReadRow(row, values);
            weight.select(0, row).copy_(tensor(values));
        }
    }

    private static void Place(AdapterTokens tokens, Tensor table)
    {
        using var scope = NewDisposeScope();
        var rows = zeros(tokens.Rows.Info.Shape.ToArray(), table.dtype, table.device);
        WeightLoader.Copy(tokens.Rows, rows);
        for (int place = 0; place < tokens.Ids.Length; place++) table.select(0, tokens.Ids[place]).copy_(rows.select(0, place));
    }

    private static LowRankTable.Factors Factors(AdapterModule module, Tensor weight)
    {
        var type = NormLayer.AtLeastFloat32(weight.dtype);
        return new LowRankTable.Factors(
            New(module.A), New(module.B), module.Scale, module.Magnitude is { } magnitude ? New(magnitude) : null);

        Tensor New(StoredTensor stored)
        {
            var values = zeros(stored.Info.Shape.ToArray(), type, weight.device).DetachFromDisposeScope();
            WeightLoader.Copy(stored, values);
            return values;
        }
    }

    private bool IsInput(EmbeddingTable table)
    {
        var names = _lora.Decoder.Config.Names;
        return _tables.GetValueOrDefault($"{names.Root}.{names.Embedding}") == table;
    }

    private EmbeddingTable Table(StoredTensor weight) =>
        _tables.GetValueOrDefault(ModuleName(weight))
        ?? throw new WiscaException($"{weight.Info.Name} is no embedding of the model", "the decoder was built from another checkpoint");

    private string ModuleName(StoredTensor weight) => Find(weight.Info.Name)[..^".weight".Length];

    private string Find(string name) =>
        _names.Find(name, out _)
        ?? throw new WiscaException(
            $"the model has no {name}, which the adapter is for",
            "the decoder was built from another checkpoint");
}
