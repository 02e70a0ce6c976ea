using Wisca.Checkpoints;
using Wisca.Safetensors;
using static TorchSharp.torch;

namespace Wisca.Models;

/// <summary>Finds, compares and copies the tensors of a checkpoint for a decoder.</summary>
internal sealed class WeightLoader(Checkpoint checkpoint, DecoderConfig config)
{
    private const int ListedDifferences = 8;

    // Elements converted at a time; what is converted is held twice.
    private const int Piece = 1 << 20;

    // Tensors that older saves hold beside the weights: causal masks and RoPE frequencies, which follow from the configuration.
    private static readonly string[] Buffers = [".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"];

    private readonly List<string> _differences = [];
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public Decoder Load(ComputePrecision precision)
    {
        var decoder = new Decoder(config, ElementType(precision));
        try
        {
            var sources = new List<(Tensor Target, StoredTensor Source)>();
            foreach (var (name, parameter) in decoder.named_parameters())
            {
                if (Find(name) is not { } source) _differences.Add($"no {name} [{string.Join(", ", parameter.shape)}]");
                else if (Fits(name, parameter, source)) sources.Add((parameter, source));
            }

            CheckTiedHead();
            foreach (var tensor in checkpoint.Tensors.Where(tensor => !_used.Contains(tensor.Info.Name) && !IsBuffer(tensor.Info.Name)))
                _differences.Add($"{tensor.Info.Name} {tensor.Info.ShapeText} is not part of the model");
            if (_differences.Count > 0) throw Differences();

            using var ungraded = no_grad();
            foreach (var (target, source) in sources) Copy(source, target);
            return decoder;
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    private string EmbeddingName => $"{config.Names.Root}.{config.Names.Embedding}.weight";

    private string HeadName => $"{config.Names.Head}.weight";

    private ScalarType ElementType(ComputePrecision precision)
    {
        if (precision != ComputePrecision.Native) return precision == ComputePrecision.F32 ? ScalarType.Float32 : ScalarType.Float64;
        Dtype[] stored = [.. checkpoint.Tensors.Where(tensor => !IsBuffer(tensor.Info.Name)).Select(tensor => tensor.Info.Dtype).Distinct().Order()];
        return stored is [var dtype] && dtype.IsRescalable()
            ? ElementType(dtype)
            : throw new WiscaException(
                $"{checkpoint.Folder}: the weights are stored as {string.Join(" and ", stored)}, and the stored type can be computed in only if it is one of F16, BF16, F32 and F64",
                "compute in float32");
    }

    private static ScalarType ElementType(Dtype dtype) => dtype switch
    {
        Dtype.F16 => ScalarType.Float16,
        Dtype.BF16 => ScalarType.BFloat16,
        Dtype.F32 => ScalarType.Float32,
        Dtype.F64 => ScalarType.Float64,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>
    /// A parameter's tensor: under its own name, or one that lacks the root or the root's first parts, or one that the file's metadata
    /// says it shares (save_model of the safetensors library), or, in a tied model, the output projection.
    /// </summary>
    private StoredTensor? Find(string name)
    {
        var found = Candidates(name).Select(Stored).FirstOrDefault(tensor => tensor is not null);
        if (found is null && config.TiedHead && name == EmbeddingName) found = Stored(HeadName);
        if (found is not null) _used.Add(found.Info.Name);
        return found;
    }

    private IEnumerable<string> Candidates(string name)
    {
        yield return name;
        string root = config.Names.Root + ".";
        if (!name.StartsWith(root, StringComparison.Ordinal)) yield break;
        for (int dot = root.IndexOf('.'); dot >= 0; dot = root.IndexOf('.', dot + 1)) yield return name[(dot + 1)..];
    }

    private StoredTensor? Stored(string name) => checkpoint.Find(name)
        ?? checkpoint.Shards.Select(shard => shard.Header.Metadata.GetValueOrDefault(name)).OfType<string>().Select(checkpoint.Find).FirstOrDefault(tensor => tensor is not null);

    private bool Fits(string name, Tensor parameter, StoredTensor source)
    {
        if (!source.Info.Dtype.IsRescalable()) _differences.Add($"{source.Info.Name} is stored as {source.Info.Dtype}, expected F16, BF16, F32 or F64");
        else if (!source.Info.Shape.AsSpan().SequenceEqual(parameter.shape)) _differences.Add($"{source.Info.Name} is {source.Info.ShapeText}, expected [{string.Join(", ", parameter.shape)}]");
        else return true;
        return false;
    }

    /// <summary>Tied models are often saved with the output projection too; it must be the embedding, or they are not tied.</summary>
    private void CheckTiedHead()
    {
        if (!config.TiedHead || _used.Contains(HeadName) || checkpoint.Find(HeadName) is not { } head || Find(EmbeddingName) is not { } embedding) return;
        _used.Add(HeadName);
        if (!SameBytes(head, embedding)) _differences.Add($"{HeadName} is not {embedding.Info.Name}, although tie_word_embeddings is true");
    }

    private static bool SameBytes(StoredTensor a, StoredTensor b)
    {
        if (a.Info.Dtype != b.Info.Dtype || !a.Info.Shape.SequenceEqual(b.Info.Shape)) return false;
        for (long offset = 0; offset < a.Info.ByteLength; offset += Piece)
        {
            int length = (int)Math.Min(Piece, a.Info.ByteLength - offset);
            if (!a.Bytes(offset, length).SequenceEqual(b.Bytes(offset, length))) return false;
        }

        return true;
    }

    private static bool IsBuffer(string name) => Buffers.Any(buffer => ('.' + name).EndsWith(buffer, StringComparison.Ordinal));

    private WiscaException Differences()
    {
        string more = _differences.Count > ListedDifferences ? $"; and {_differences.Count - ListedDifferences} more" : "";
        return new WiscaException(
            $"{checkpoint.Folder}: the tensors are not those of {config.ModelType} as {checkpoint.Config.File} describes it: {string.Join("; ", _differences.Take(ListedDifferences))}{more}",
            "configuration and weights do not belong together, or the model is of another kind than model_type says");
    }

    private static void Copy(StoredTensor source, Tensor target)
    {
        using var scope = NewDisposeScope();
        var type = ElementType(source.Info.Dtype);
        int size = source.Info.Dtype.Bits() / 8;
        var flat = target.view(-1);
        var staging = type == target.dtype ? null : empty([Math.Min(Piece, flat.shape[0])], type);
        for (long begin = 0; begin < flat.shape[0]; begin += Piece)
        {
            using var step = NewDisposeScope();
            int count = (int)Math.Min(Piece, flat.shape[0] - begin);
            var bytes = source.Bytes(begin * size, count * size);
            var place = flat.narrow(0, begin, count);
            var landing = staging?.narrow(0, 0, count) ?? place;
            bytes.CopyTo(landing.bytes);
            if (staging is not null) place.copy_(landing);
        }
    }
}
