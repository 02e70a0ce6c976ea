using System.Buffers.Binary;
using System.Text;
using Wisca.Files;

namespace Wisca.Data.Tokenizers.Models;

/// <summary>
/// The fields of a SentencePiece model that matter for encoding and decoding, read from its protocol buffer
/// (github.com/google/sentencepiece, sentencepiece_model.proto). Fields that are not named here are for training only.
/// </summary>
internal sealed class SentencePieceModel
{
    /// <summary>Unigram among the model types.</summary>
    public const int Unigram = 1;

    /// <summary>BPE among the model types.</summary>
    public const int BytePair = 2;

    private readonly string _name;

    private SentencePieceModel(string name) => _name = name;

    public List<(string Text, float Score, SentencePieceType Type)> Pieces { get; } = [];

    public int ModelType { get; private set; } = Unigram;

    public bool ByteFallback { get; private set; }

    public bool TreatWhitespaceAsSuffix { get; private set; }

    public string UnknownSurface { get; private set; } = " \u2047 ";

    public string BosPiece { get; private set; } = "<s>";

    public string EosPiece { get; private set; } = "</s>";

    public byte[] Charsmap { get; private set; } = [];

    public bool HasDenormalizer { get; private set; }

    public bool AddDummyPrefix { get; private set; } = true;

    public bool RemoveExtraWhitespaces { get; private set; } = true;

    public bool EscapeWhitespaces { get; private set; } = true;

    /// <summary>Reads a model file.</summary>
    /// <exception cref="WiscaException">The file is damaged or something else.</exception>
    public static SentencePieceModel Load(string path)
    {
        var model = new SentencePieceModel(Path.GetFileName(path));
        byte[] bytes;
        try
        {
            PlainFile.Check(path);
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "a SentencePiece model is needed there", exception);
        }

        bool trainer = false, normalizer = false;
        model.ReadFields(bytes, (field, number, content) =>
        {
            trainer |= field == 2;
            normalizer |= field == 3;
            switch (field)
            {
                case 1: model.ReadPiece(content); break;
                case 2: model.ReadFields(content, model.ReadTrainerSpec); break;
                case 3: model.ReadFields(content, model.ReadNormalizerSpec); break;
                case 5: model.ReadFields(content, (inner, _, map) => model.HasDenormalizer |= inner == 2 && map.Length > 0); break;
                default: break;
            }
        });
        string? missing = model.Pieces.Count == 0 ? "pieces" : !trainer ? "trainer_spec" : !normalizer ? "normalizer_spec" : null;
        return missing is null ? model : throw model.Damaged($"it has no {missing}");
    }

    private void ReadPiece(ReadOnlySpan<byte> bytes)
    {
        string text = "";
        float score = 0;
        var type = SentencePieceType.Normal;
        ReadFields(bytes, (field, number, content) =>
        {
            switch (field)
            {
                case 1: text = Text(content); break;
                case 2: score = BitConverter.UInt32BitsToSingle((uint)number); break;
                case 3: type = (SentencePieceType)number; break;
                default: break;
            }
        });
        if (!Enum.IsDefined(type)) throw Damaged($"piece {Pieces.Count} is of the unknown type {(int)type}");
        Pieces.Add((text, score, type));
    }

    private void ReadTrainerSpec(int field, ulong number, ReadOnlySpan<byte> content)
    {
        switch (field)
        {
            case 3: ModelType = (int)number; break;
            case 24: TreatWhitespaceAsSuffix = number != 0; break;
            case 35: ByteFallback = number != 0; break;
            case 44: UnknownSurface = Text(content); break;
            case 46: BosPiece = Text(content); break;
            case 47: EosPiece = Text(content); break;
            default: break;
        }
    }

    private void ReadNormalizerSpec(int field, ulong number, ReadOnlySpan<byte> content)
    {
        switch (field)
        {
            case 2: Charsmap = content.ToArray(); break;
            case 3: AddDummyPrefix = number != 0; break;
            case 4: RemoveExtraWhitespaces = number != 0; break;
            case 5: EscapeWhitespaces = number != 0; break;
            default: break;
        }
    }

    /// <summary>Gets the field's number, and its value if it is a number or its content if it has a length.</summary>
    private delegate void FieldReader(int field, ulong number, ReadOnlySpan<byte> content);

    /// <summary>Goes through the fields of one message.</summary>
    private void ReadFields(ReadOnlySpan<byte> message, FieldReader read)
    {
        while (!message.IsEmpty)
        {
            ulong tag = ReadVarint(ref message);
            int field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    read(field, ReadVarint(ref message), []);
                    break;
                case 1:
                    read(field, BinaryPrimitives.ReadUInt64LittleEndian(Take(ref message, 8, field)), []);
                    break;
                case 2:
                    read(field, 0, Take(ref message, ReadVarint(ref message), field));
                    break;
                case 5:
                    read(field, BinaryPrimitives.ReadUInt32LittleEndian(Take(ref message, 4, field)), []);
                    break;
                default:
                    throw Damaged($"field {field} has the wire type {tag & 7}");
            }
        }
    }

    private ulong ReadVarint(ref ReadOnlySpan<byte> message)
    {
        ulong value = 0;
        for (int i = 0; i < 10 && i < message.Length; i++)
        {
            value |= (ulong)(message[i] & 0x7F) << (7 * i);
            if (message[i] >= 0x80) continue;
            message = message[(i + 1)..];
            return value;
        }

        throw Damaged("it ends inside a number");
    }

    private ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> message, ulong length, int field)
    {
        if (length > (ulong)message.Length) throw Damaged($"it ends inside field {field}");
        var taken = message[..(int)length];
        message = message[(int)length..];
        return taken;
    }

    private string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException exception)
        {
            throw new WiscaException($"{_name} is no SentencePiece model: a text in it is no UTF-8", Hint, exception);
        }
    }

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static string Hint => "fetch the file again; tokenizer.model files of other programs (tiktoken) are not supported";

    private WiscaException Damaged(string why) => new($"{_name} is no whole SentencePiece model: {why}", Hint);
}
