using System.Collections.Immutable;
using System.Text.Json;

namespace Wisca.Safetensors;

/// <summary>
/// The header of a safetensors file: 8 bytes of little-endian length, then a JSON object from tensor name to dtype, shape and
/// offsets. Parsing enforces every rule of the format (github.com/huggingface/safetensors, "Format").
/// </summary>
public sealed class SafetensorsHeader
{
    /// <summary>The format's limit on the header's length in bytes.</summary>
    public const long MaxLength = 100_000_000;

    private const string MetadataKey = "__metadata__";
    private readonly Dictionary<string, TensorInfo> _byName;

    private SafetensorsHeader(ImmutableArray<TensorInfo> tensors, ImmutableSortedDictionary<string, string> metadata, bool hasMetadata)
    {
        Tensors = tensors;
        Metadata = metadata;
        HasMetadata = hasMetadata;
        _byName = tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The tensors in the order of their bytes.</summary>
    public ImmutableArray<TensorInfo> Tensors { get; }

    /// <summary>The free-form <c>__metadata__</c>; empty where the file has none.</summary>
    public ImmutableSortedDictionary<string, string> Metadata { get; }

    /// <summary>Length of the data section in bytes.</summary>
    public long DataLength => Tensors.IsEmpty ? 0 : Tensors[^1].End;

    private bool HasMetadata { get; }

    /// <summary>Finds a tensor by name; null where the file does not have it.</summary>
    public TensorInfo? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Lays out tensors one after the other, in the given order, for a file yet to be written.</summary>
    /// <param name="tensors">Name, element type and shape of each tensor.</param>
    /// <param name="metadata">The <c>__metadata__</c>, or null for none.</param>
    public static SafetensorsHeader Create(
        IEnumerable<(string Name, Dtype Dtype, long[] Shape)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var laidOut = ImmutableArray.CreateBuilder<TensorInfo>();
        long begin = 0;
        foreach (var (name, dtype, shape) in tensors)
        {
            long bits = checked(shape.Aggregate(1L, (product, dimension) => checked(product * dimension)) * dtype.Bits());
            if (bits % 8 != 0) throw new ArgumentException($"{name}: {bits} bits do not fill whole bytes", nameof(tensors));
            if (name == MetadataKey || shape.Any(dimension => dimension < 0))
                throw new ArgumentException($"{name}: not a tensor's name or shape", nameof(tensors));
            laidOut.Add(new TensorInfo(name, dtype, [.. shape], begin, begin + (bits / 8)));
            begin += bits / 8;
        }

        return new SafetensorsHeader(
            laidOut.ToImmutable(),
            (metadata ?? ImmutableDictionary<string, string>.Empty).ToImmutableSortedDictionary(StringComparer.Ordinal),
            metadata is not null);
    }

    /// <summary>Parses the JSON of a header and checks it against the length of the data that follows.</summary>
    /// <param name="json">The header's bytes without the length prefix.</param>
    /// <param name="dataLength">Bytes of the file after the header.</param>
    /// <param name="file">The file's name for error messages.</param>
    /// <exception cref="WiscaException">A rule of the format is broken; the message names the file and the tensor.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataLength, string file)
    {
        if (json.IsEmpty || json[0] != (byte)'{') throw Broken(file, "the header does not begin with '{'");
        try
        {
            var (found, metadata) = ReadObject(json, file);
            ImmutableArray<TensorInfo> tensors = [.. found.OrderBy(tensor => tensor.Begin).ThenBy(tensor => tensor.End)];
            CheckLayout(tensors, dataLength, file);
            return new SafetensorsHeader(
                tensors, (metadata ?? []).ToImmutableSortedDictionary(StringComparer.Ordinal), metadata is not null);
        }
        catch (JsonException exception)
        {
            string where =
                exception.LineNumber > 0
                    ? $"line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}"
                    : $"byte {exception.BytePositionInLine + 8}";
            throw Broken(file, $"the header is not valid JSON at {where}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // Utf8JsonReader.GetString reports malformed UTF-8 and lone surrogates this way.
            throw Broken(file, "the header holds a string that is not valid Unicode", exception);
        }
    }

    /// <summary>The header as it stands at the start of a file: length prefix and JSON, padded with spaces to 8 bytes.</summary>
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        stream.Write(new byte[8]);
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            if (HasMetadata)
            {
                writer.WriteStartObject(MetadataKey);
                foreach (var (key, value) in Metadata) writer.WriteString(key, value);
                writer.WriteEndObject();
            }

            foreach (var tensor in Tensors)
            {
                writer.WriteStartObject(tensor.Name);
                writer.WriteString("dtype", tensor.Dtype.ToString());
                writer.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape) writer.WriteNumberValue(dimension);
                writer.WriteEndArray();
                writer.WriteStartArray("data_offsets");
                writer.WriteNumberValue(tensor.Begin);
                writer.WriteNumberValue(tensor.End);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        while (stream.Length % 8 != 0) stream.WriteByte((byte)' ');
        byte[] bytes = stream.ToArray();
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - 8);
        return bytes;
    }

    private static (List<TensorInfo> Tensors, Dictionary<string, string>? Metadata) ReadObject(ReadOnlySpan<byte> json, string file)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        var tensors = new List<TensorInfo>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        Dictionary<string, string>? metadata = null;
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!names.Add(name)) throw Broken(file, $"the header names {Quote(name)} twice");
            reader.Read();
            if (name == MetadataKey) metadata = ReadMetadata(ref reader, file);
            else tensors.Add(ReadTensor(ref reader, name, file));
        }

        // Reads to the end: anything but white space behind the object is a JsonException.
        reader.Read();
        return (tensors, metadata);
    }

    /// <summary>The metadata; null where it is null, as MLX writes it and the reference implementation reads it.</summary>
    private static Dictionary<string, string>? ReadMetadata(ref Utf8JsonReader reader, string file)
    {
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.StartObject) throw Broken(file, $"{MetadataKey} is not an object");
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw Broken(file, $"{MetadataKey}.{Quote(key)} is not a string");
            if (!metadata.TryAdd(key, reader.GetString()!)) throw Broken(file, $"{MetadataKey} names {Quote(key)} twice");
        }

        return metadata;
    }

    private static TensorInfo ReadTensor(ref Utf8JsonReader reader, string name, string file)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Broken(file, $"tensor {Quote(name)} is not an object");
        Dtype? dtype = null;
        List<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when dtype is null:
                    if (reader.TokenType != JsonTokenType.String) throw Broken(file, $"tensor {Quote(name)}: dtype is not a string");
                    string text = reader.GetString()!;
                    if (!DtypeExtensions.TryParse(text, out var parsed))
                        throw Broken(file, $"tensor {Quote(name)}: unknown dtype {Quote(text)}");
                    dtype = parsed;
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, name, key, file);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, name, key, file);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Broken(file, $"tensor {Quote(name)} has {key} twice");
                default:
                    throw Broken(file, $"tensor {Quote(name)} has the unknown key {Quote(key)} (expected dtype, shape, data_offsets)");
            }
        }

        if (dtype is null) throw Broken(file, $"tensor {Quote(name)} has no dtype");
        if (shape is null) throw Broken(file, $"tensor {Quote(name)} has no shape");
        if (offsets is null) throw Broken(file, $"tensor {Quote(name)} has no data_offsets");
        if (offsets.Count != 2) throw Broken(file, $"tensor {Quote(name)}: data_offsets has {offsets.Count} numbers, expected 2");
        var tensor = new TensorInfo(name, dtype.Value, [.. shape], offsets[0], offsets[1]);
        if (tensor.End < tensor.Begin) throw Broken(file, $"tensor {Quote(name)} ends at {tensor.End} before it begins at {tensor.Begin}");
        CheckLength(tensor, file);
        return tensor;
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader, string name, string key, string file)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw Broken(file, $"tensor {Quote(name)}: {key} is not an array");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || reader.ValueSpan[0] == (byte)'-')
                throw Broken(file, $"tensor {Quote(name)}: {key} holds something other than a whole number from 0 to 2^63-1");
            numbers.Add(number);
        }

        return numbers;
    }

    private static void CheckLength(TensorInfo tensor, string file)
    {
        UInt128 elements = tensor.Shape.Contains(0) ? 0u : 1u;
        foreach (long dimension in tensor.Shape)
        {
            // With more than 2^64 elements the tensor is longer than any file; stopping there keeps the product from wrapping around.
            elements *= (UInt128)dimension;
            if (elements > (UInt128)1 << 64) throw Broken(file, $"tensor {Quote(tensor.Name)}: shape {tensor.ShapeText} overflows");
        }

        UInt128 bits = elements * (UInt128)tensor.Dtype.Bits();
        if (bits % 8 != 0)
            throw Broken(file, $"tensor {Quote(tensor.Name)}: {tensor.ShapeText} of {tensor.Dtype} does not fill whole bytes");
        if (bits / 8 != (UInt128)tensor.ByteLength)
        {
            throw Broken(
                file,
                $"tensor {Quote(tensor.Name)}: shape {tensor.ShapeText} of {tensor.Dtype} takes {bits / 8} bytes, but its offsets span "
                + $"{tensor.ByteLength}");
        }
    }

    /// <summary>The bytes of the tensors must tile the data section: no holes, no overlap, nothing out of range.</summary>
    private static void CheckLayout(ImmutableArray<TensorInfo> tensors, long dataLength, string file)
    {
        if (tensors.FirstOrDefault(tensor => tensor.End > dataLength) is { } cut)
        {
            throw new WiscaException(
                $"{file}: tensor {Quote(cut.Name)} ends at byte {cut.End} of {dataLength} bytes of data",
                "the file was cut short, or its download did not finish");
        }

        long expected = 0;
        foreach (var tensor in tensors)
        {
            if (tensor.Begin < expected) throw Broken(file, $"tensor {Quote(tensor.Name)} overlaps the one before it");
            if (tensor.Begin > expected)
                throw Broken(file, $"a hole of {tensor.Begin - expected} bytes before tensor {Quote(tensor.Name)}");
            expected = tensor.End;
        }

        if (expected != dataLength) throw Broken(file, $"{dataLength - expected} bytes behind the last tensor belong to none");
    }

    private static WiscaException Broken(string file, string what, Exception? inner = null) =>
        new($"{file}: {what}", "the file is not valid safetensors; download or export it again", inner);

    /// <summary>Quotes a name from a file so that it does not flood the terminal.</summary>
    private static string Quote(string name) => name.Length <= 200 ? $"'{name}'" : $"'{name.AsSpan(0, 200)}...'";
}
