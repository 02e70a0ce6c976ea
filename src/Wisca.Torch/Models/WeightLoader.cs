using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>Finds, compares and copies the tensors of a checkpoint for a decoder.</summary>
internal sealed class WeightLoader(Checkpoint checkpoint, DecoderConfig config)
{
    private const int ListedDifferences = 8;

    // Elements converted at a time; what is converted is held twice.
    private const int Piece = 1 << 20;

    // Tensors that older saves hold beside the weights: causal masks and RoPE frequencies, which follow from the configuration.
    private static readonly string[] Buffers =
    [
        ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq",
    ];

    private readonly List<string> _differences = [];
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly Lazy<string> _prefix = new(() => Prefix(checkpoint));

    /// <summary>Makes the decoder.</summary>
    /// <param name="precision">The element type to compute in.</param>
    /// <param name="stored">The tensor that each parameter was read from, by the parameter's name.</param>
    public Decoder Load(ComputePrecision precision, out IReadOnlyDictionary<string, StoredTensor> stored)
    {
        var type = ElementType(precision);
        var sources = Match(type);
        var decoder = new Decoder(config, type) { Source = checkpoint.Folder };
        try
        {
            using var ungraded = no_grad();
            var parameters = decoder.Stored.ToList();
            foreach (var ((_, parameter), source) in parameters.Zip(sources)) Copy(source, parameter);
            foreach (var shard in checkpoint.Shards) shard.CheckUnchanged();
            stored = parameters.Zip(sources).ToDictionary(pair => pair.First.Name, pair => pair.Second, StringComparer.Ordinal);
            return decoder;
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    /// <summary>A tensor for every parameter, found and compared before memory is asked for.</summary>
    private List<StoredTensor> Match(ScalarType type)
    {
        var sources = new List<StoredTensor>();
        using var outline = new Decoder(config, type, META);
        foreach (var (name, parameter) in outline.Stored)
        {
            if (Find(name) is not { } source) _differences.Add($"no {name} {Text(parameter.shape)}");
            else if (Fits(source, parameter.shape)) sources.Add(source);
        }

        CheckTiedHead();
        var others = checkpoint.Tensors.Select(tensor => tensor.Info)
            .Where(info => info.ElementCount > 0 && !_used.Contains(info.Name) && !IsBuffer(info.Name));
        _differences.AddRange(others.Select(info => $"{info.Name} {info.ShapeText} is not part of the model"));
        return _differences.Count == 0 ? sources : throw Differences();
    }

    private string EmbeddingName => $"{config.Names.Root}.{config.Names.Embedding}.weight";

    private string HeadName => $"{config.Names.Head}.weight";

    private ScalarType ElementType(ComputePrecision precision)
    {
        if (precision != ComputePrecision.Native) return precision == ComputePrecision.F32 ? ScalarType.Float32 : ScalarType.Float64;
        Dtype[] stored =
        [
            .. checkpoint.Tensors.Where(tensor => tensor.Info.ElementCount > 0 && !IsBuffer(tensor.Info.Name))
                .Select(tensor => tensor.Info.Dtype).Distinct().Order(),
        ];
        if (stored is [var dtype] && dtype.IsRescalable()) return dtype.ToScalarType();
        throw new WiscaException(
            $"{checkpoint.Folder}: the weights are stored as {string.Join(" and ", stored)}; computing in the stored type needs one of "
            + "F16, BF16, F32 and F64",
            "compute in float32");
    }

    /// <summary>
    /// A parameter's tensor: under its own name, or one that lacks the root or the root's first parts or has something in front, or one
    /// that the file's metadata says it shares (save_model of the safetensors library), or, in a tied model, the output projection.
    /// </summary>
    private StoredTensor? Find(string name)
    {
        var found = Candidates(name).Concat(Prefixed(name)).Select(Stored).FirstOrDefault(tensor => tensor is not null);
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

    /// <summary>The same behind what a multimodal model or a training framework put in front.</summary>
    private IEnumerable<string> Prefixed(string name)
    {
        string root = config.Names.Root + ".", prefix = _prefix.Value;
        if (name.StartsWith(root, StringComparison.Ordinal)) yield return prefix + name[root.Length..];
        else
        {
            for (int dot = prefix.IndexOf('.'); dot >= 0; dot = prefix.IndexOf('.', dot + 1)) yield return prefix[..(dot + 1)] + name;
        }
    }

    private static string Prefix(Checkpoint checkpoint)
    {
        try
        {
            return ModelLayout.Resolve(checkpoint).Prefix;
        }
        catch (WiscaException)
        {
            // What is wrong is told of all tensors at once.
            return "";
        }
    }

    private StoredTensor? Stored(string name)
    {
        if (checkpoint.Find(name) is { } tensor) return tensor;
        var shared = checkpoint.Shards.Select(shard => shard.Header.Metadata.GetValueOrDefault(name)).OfType<string>();
        return shared.Select(checkpoint.Find).FirstOrDefault(other => other is not null);
    }

    private bool Fits(StoredTensor source, long[] shape)
    {
        var info = source.Info;
        if (!info.Dtype.IsRescalable()) _differences.Add($"{info.Name} is stored as {info.Dtype}, expected F16, BF16, F32 or F64");
        else if (!info.Shape.AsSpan().SequenceEqual(shape)) _differences.Add($"{info.Name} is {info.ShapeText}, expected {Text(shape)}");
        else return true;
        return false;
    }

    private static string Text(long[] shape) => $"[{string.Join(", ", shape)}]";

    /// <summary>Tied models are often saved with the output projection too; it must be the embedding, or they are not tied.</summary>
    private void CheckTiedHead()
    {
        if (
            !config.TiedHead
            || _used.Contains(HeadName)
            || checkpoint.Find(HeadName) is not { } head
            || Find(EmbeddingName) is not { } embedding)
            return;
        _used.Add(HeadName);
        bool same =
            head.Info.Dtype == embedding.Info.Dtype && head.Info.Shape.SequenceEqual(embedding.Info.Shape) && head.HasBytesOf(embedding);
        if (!same) _differences.Add($"{HeadName} is not {embedding.Info.Name}, although tie_word_embeddings is true");
    }

    private static bool IsBuffer(string name) => Buffers.Any(buffer => ('.' + name).EndsWith(buffer, StringComparison.Ordinal));

    private WiscaException Differences()
    {
        string more = _differences.Count > ListedDifferences ? $"; and {_differences.Count - ListedDifferences} more" : "";
        string list = string.Join("; ", _differences.Take(ListedDifferences));
        return new WiscaException(
            $"{checkpoint.Folder}: the tensors are not those of {config.ModelType} as {checkpoint.Config.File} describes it: {list}{more}",
            "configuration and weights do not belong together, or the model is of another kind than model_type says");
    }

    /// <summary>Copies a stored tensor into one of the same shape, piece by piece; without gradients.</summary>
    internal static void Copy(StoredTensor source, Tensor target)
    {
        using var scope = NewDisposeScope();
        var type = source.Info.Dtype.ToScalarType();
        int size = source.Info.Dtype.Bits() / 8;
        var flat = target.view(-1);
        var staging = type == target.dtype ? null : empty([Math.Min(Piece, flat.shape[0])], type);
        for (long begin = 0; begin < flat.shape[0]; begin += Piece)
        {
            using var step = NewDisposeScope();
            int count = (int)Math.Min(Piece, flat.shape[0] - begin);
            var place = flat.narrow(0, begin, count);
            var landing = staging?.narrow(0, 0, count) ?? place;
            source.Read(begin * size, landing.bytes);
            if (staging is not null) place.copy_(landing);
        }
    }
}
