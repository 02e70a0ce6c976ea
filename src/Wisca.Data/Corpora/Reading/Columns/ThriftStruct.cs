using System.Buffers.Binary;
using System.Text;

namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>
/// A struct of Thrift's compact protocol, which Parquet describes itself in. Reading is strict: nothing is read beyond the bytes that are
/// there, no list is longer than they allow, and nothing is nested deeper than Parquet nests. What is wrong is an
/// <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ThriftStruct
{
    private const int MaxDepth = 24;

    private readonly Dictionary<int, object> _fields = [];

    /// <summary>Reads a struct.</summary>
    /// <param name="bytes">Where it begins, and all that may belong to it.</param>
    /// <param name="length">Number of bytes that it takes.</param>
    public static ThriftStruct Read(ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new Reader(bytes);
        var read = reader.ReadStruct(0);
        length = reader.Position;
        return read;
    }

    /// <summary>A whole number; null where the field is missing.</summary>
    public long? Number(int field) => Find<long?>(field);

    /// <summary>A whole number of 32 bits; null where the field is missing.</summary>
    public int? Small(int field) => Number(field) switch
    {
        null => null,
        >= int.MinValue and <= int.MaxValue and var number => (int)number,
        var number => throw new InvalidDataException($"field {field} is {number}"),
    };

    /// <summary>A struct; null where the field is missing.</summary>
    public ThriftStruct? Struct(int field) => Find<ThriftStruct>(field);

    /// <summary>A text; null where the field is missing.</summary>
    public string? Text(int field) => Find<byte[]>(field) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>A list of structs; null where the field is missing.</summary>
    public IReadOnlyList<ThriftStruct>? Structs(int field) => Items<ThriftStruct>(field);

    /// <summary>A list of texts; null where the field is missing.</summary>
    public IReadOnlyList<string>? Texts(int field) => Items<byte[]>(field) is { } items ? [.. items.Select(Encoding.UTF8.GetString)] : null;

    private T? Find<T>(int field) =>
        !_fields.TryGetValue(field, out object? value) ? default
        : value is T found ? found
        : throw new InvalidDataException($"field {field} is of another type");

    private List<T>? Items<T>(int field)
        where T : class =>
        Find<List<object>>(field) is not { } items ? null
        : items.TrueForAll(item => item is T) ? items.ConvertAll(item => (T)item)
        : throw new InvalidDataException($"field {field} lists another type");

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;

        public int Position { get; private set; }

        public ThriftStruct ReadStruct(int depth)
        {
            if (depth > MaxDepth) throw new InvalidDataException($"more than {MaxDepth} levels");
            var read = new ThriftStruct();
            int field = 0;
            while (true)
            {
                byte header = Take(1)[0];
                if (header == 0) return read;
                field = header >> 4 == 0 ? (int)Math.Clamp(Zigzag(), -1, 1 << 16) : field + (header >> 4);
                int type = header & 0xF;

                // In a field a truth value is its type; in a list it has a byte.
                object value = type is 1 or 2 ? type == 1 : ReadValue(type, depth);
                if (field < 0 || !read._fields.TryAdd(field, value)) throw new InvalidDataException($"field {field} out of place");
            }
        }

        private object ReadValue(int type, int depth)
        {
            switch (type)
            {
                case 1 or 2: return Take(1)[0] == 1;
                case 3: return (long)(sbyte)Take(1)[0];
                case 4 or 5 or 6: return Zigzag();
                case 7: return BinaryPrimitives.ReadDoubleLittleEndian(Take(8));
                case 8: return Take(Count()).ToArray();
                case 9 or 10: return ReadList(depth);
                case 11: return ReadMap(depth);
                case 12: return ReadStruct(depth + 1);
                case 13: return Take(16).ToArray();
                default: throw new InvalidDataException($"type {type}");
            }
        }

        private List<object> ReadList(int depth)
        {
            if (depth > MaxDepth) throw new InvalidDataException($"more than {MaxDepth} levels");
            byte header = Take(1)[0];
            int count = header >> 4 == 15 ? Count() : header >> 4;
            var items = new List<object>(Math.Min(count, 1 << 16));
            for (int index = 0; index < count; index++) items.Add(ReadValue(header & 0xF, depth + 1));
            return items;
        }

        private List<object> ReadMap(int depth)
        {
            if (depth > MaxDepth) throw new InvalidDataException($"more than {MaxDepth} levels");
            int count = Count();
            int types = count == 0 ? 0 : Take(1)[0];
            var items = new List<object>();
            for (int index = 0; index < count; index++)
            {
                items.Add(ReadValue(types >> 4, depth + 1));
                items.Add(ReadValue(types & 0xF, depth + 1));
            }

            return items;
        }

        /// <summary>A number of things, each of which takes a byte at least.</summary>
        private int Count()
        {
            ulong count = Varint();
            return count <= (ulong)(_bytes.Length - Position) ? (int)count : throw new InvalidDataException($"a length of {count}");
        }

        private long Zigzag()
        {
            ulong number = Varint();
            return (long)(number >> 1) ^ -(long)(number & 1);
        }

        private ulong Varint()
        {
            ulong number = 0;
            for (int shift = 0; shift < 64; shift += 7)
            {
                byte next = Take(1)[0];
                number |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80) return number;
            }

            throw new InvalidDataException("a number of more than 64 bits");
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > _bytes.Length - Position) throw new EndOfStreamException("it is damaged (what describes it ends too early)");
            var taken = _bytes.Slice(Position, count);
            Position += count;
            return taken;
        }
    }
}
