using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>Broken model folders, each made from a whole one.</summary>
internal static class MalformedCorpus
{
    private const string Query = "model.layers.1.self_attn.q_proj.weight",
        Embedding = "model.embed_tokens.weight",
        First = "model-00001-of-00002.safetensors",
        Second = "model-00002-of-00002.safetensors";

    /// <summary>The text of the first tensor's entry, whose shape is [11, 16].</summary>
    private const string Entry = "{\"dtype\":\"F32\",\"shape\":[11,16],\"data_offsets\":[0,704]}";

    public static SmallLlama Model { get; } = new();

    public static IReadOnlyDictionary<string, MalformedCase> Cases { get; } = new Dictionary<string, MalformedCase>(
        [.. Files(), .. Headers(), .. Folders(), .. Indexes(), .. Configurations(), .. Weights()]);

    private static IEnumerable<KeyValuePair<string, MalformedCase>> Files()
    {
        yield return Weights("file: empty", "model.safetensors: 0 bytes are too few", _ => []);
        yield return Weights("file: seven bytes", "model.safetensors: 7 bytes are too few", bytes => bytes[..7]);
        yield return Weights("file: zeros", "model.safetensors: the header does not begin with '{'", _ => new byte[4096]);
        yield return Weights(
            "file: LFS pointer",
            "model.safetensors: the header claims",
            _ => Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"));
        yield return Weights(
            "file: web page",
            "model.safetensors: the header claims",
            _ => Encoding.ASCII.GetBytes("<!DOCTYPE html><html><body>404</body></html>"));
        yield return Weights(
            "file: pickle",
            "model.safetensors: the header claims",
            _ => [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]);
        yield return Weights("file: GGUF", "model.safetensors: the header claims", _ => [.. "GGUF"u8, 3, 0, 0, 0, .. new byte[100]]);
        yield return Claim("file: header length one more than allowed", "claims 100000001 bytes, the format allows 100000000", 100_000_001);
        yield return Claim("file: header length of 64 bits", "claims 18446744073709551615 bytes", ulong.MaxValue);
        yield return Claim("file: header length that is negative as a signed number", "claims 9223372036854775808 bytes", 1UL << 63);
        yield return Claim("file: header length beyond the file", "claims 99999999 bytes, but the file has", 99_999_999);
        yield return Claim("file: header length too short", "the header is not valid JSON", 100);
        yield return Claim("file: header length zero", "the header does not begin with '{'", 0);
        yield return Weights(
            "file: bytes behind the last tensor", "3 bytes behind the last tensor belong to none", bytes => [.. bytes, 0, 0, 0]);
        yield return Weights("file: prefix lost", "model.safetensors: the header claims", bytes => bytes[8..]);

        KeyValuePair<string, MalformedCase> Claim(string name, string expected, ulong length) => Weights(name, expected, bytes =>
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
            return bytes;
        });
    }

    private static IEnumerable<KeyValuePair<string, MalformedCase>> Headers()
    {
        yield return Header("header: array", "does not begin with '{'", header => $"[{header}]");
        yield return Header("header: leading space", "does not begin with '{'", header => " " + header);
        yield return Header("header: byte order mark", "does not begin with '{'", header => "\uFEFF" + header);
        yield return Header("header: zero bytes as padding", "not valid JSON", header => header + "\0\0\0");
        yield return Header("header: second object", "not valid JSON", header => header + "{}");
        yield return Header("header: comment", "not valid JSON", header => header.Replace("{\"__", "{/* */\"__", StringComparison.Ordinal));
        yield return Header("header: trailing comma", "not valid JSON", header => header[..^1] + ",}");
        yield return Header("header: single quotes", "not valid JSON", header => header.Replace('"', '\''));
        yield return Header(
            "header: raw control character in a name",
            "not valid JSON",
            header => header.Replace(Embedding, "model\u0001", StringComparison.Ordinal));
        yield return Header(
            "header: deep nesting",
            $"'{Embedding}' is not an object",
            header => header.Replace(Entry, new string('[', 10_000) + new string(']', 10_000), StringComparison.Ordinal));
        yield return Header(
            "header: deep metadata",
            "__metadata__.'format' is not a string",
            header => header.Replace("\"pt\"", new string('[', 100) + new string(']', 100), StringComparison.Ordinal));
        yield return Header("header: name twice", $"names '{Embedding}' twice", header => $"{{\"{Embedding}\":{Entry}," + header[1..]);
        yield return Header(
            "header: name twice, once escaped",
            $"names '{Embedding}' twice",
            header => $"{{\"\\u006dodel.embed_tokens.weight\":{Entry}," + header[1..]);
        yield return Header("header: metadata twice", "names '__metadata__' twice", header => "{\"__metadata__\":{}," + header[1..]);
        yield return Header(
            "header: metadata key twice",
            "__metadata__ names 'format' twice",
            header => header.Replace("{\"format\":\"pt\"}", "{\"format\":\"pt\",\"f\\u006frmat\":\"pt\"}", StringComparison.Ordinal));
        yield return Header(
            "header: metadata is a list",
            "__metadata__ is not an object",
            header => header.Replace("{\"format\":\"pt\"}", "[]", StringComparison.Ordinal));
        yield return Header(
            "header: metadata holds a number",
            "__metadata__.'format' is not a string",
            header => header.Replace("\"pt\"", "1", StringComparison.Ordinal));
        yield return Header(
            "header: escape sequence in a name", "'\\u001b[2J' is not an object", header => "{\"\\u001b[2J\":1," + header[1..]);
        yield return Bytes("header: name is not UTF-8", "a string that is not valid Unicode", header => header[3] = 0xFF);
        yield return Header(
            "header: half a surrogate pair",
            "a string that is not valid Unicode",
            header => header.Replace(Embedding, "\\ud83d", StringComparison.Ordinal));
        yield return Header(
            "tensor: overlap",
            "tensor 'model.layers.0.input_layernorm.weight' overlaps the one before it",
            header => header.Replace("[704,768]", "[700,764]", StringComparison.Ordinal));
        foreach (var (name, entry, expected) in ((string, string, string)[])
        [
            ("tensor is a number", "7", "is not an object"),
            ("tensor is null", "null", "is not an object"),
            ("no dtype", Entry.Replace("\"dtype\":\"F32\",", ""), "has no dtype"),
            ("no shape", Entry.Replace("\"shape\":[11,16],", ""), "has no shape"),
            ("no offsets", Entry.Replace(",\"data_offsets\":[0,704]", ""), "has no data_offsets"),
            ("dtype twice", Entry.Replace("{", "{\"dtype\":\"F32\","), "has dtype twice"),
            ("unknown key", Entry.Replace("{", "{\"stride\":1,"), "has the unknown key 'stride'"),
            ("unknown dtype", Entry.Replace("F32", "F33"), "unknown dtype 'F33'"),
            ("dtype in small letters", Entry.Replace("F32", "f32"), "unknown dtype 'f32'"),
            ("two dtypes", Entry.Replace("F32", "BOOL,F32"), "unknown dtype 'BOOL,F32'"),
            ("dtype is a number", Entry.Replace("\"F32\"", "15"), "dtype is not a string"),
            ("shape is a number", Entry.Replace("[11,16]", "176"), "shape is not an array"),
            ("negative dimension", Entry.Replace("[11,16]", "[-11,-16]"), "shape holds something other"),
            ("dimension with a point", Entry.Replace("[11,16]", "[11.0,16]"), "shape holds something other"),
            ("dimension with an exponent", Entry.Replace("[11,16]", "[11,16e0]"), "shape holds something other"),
            ("dimension as text", Entry.Replace("[11,16]", "[\"11\",16]"), "shape holds something other"),
            ("shape in a shape", Entry.Replace("[11,16]", "[[11,16]]"), "shape holds something other"),
            (
                "shape whose product wraps to 64 bits", Entry.Replace("[11,16]", "[4294967296,4294967296]"),
                "takes 73786976294838206464 bytes"),
            (
                "shape whose product wraps to 128 bits", Entry.Replace("[11,16]", "[1152921504606846976,4611686018427387904,16]"),
                "overflows"),
            ("shape of another length", Entry.Replace("[11,16]", "[11,17]"), "takes 748 bytes, but its offsets span 704"),
            ("offsets reversed", Entry.Replace("[0,704]", "[704,0]"), "ends at 0 before it begins at 704"),
            ("negative offset", Entry.Replace("[0,704]", "[-704,0]"), "data_offsets holds something other"),
            ("offset with a point", Entry.Replace("[0,704]", "[0,704.0]"), "data_offsets holds something other"),
            ("one offset", Entry.Replace("[0,704]", "[704]"), "data_offsets has 1 numbers, expected 2"),
            ("three offsets", Entry.Replace("[0,704]", "[0,704,704]"), "data_offsets has 3 numbers, expected 2"),
            ("offset beyond 2^53", Entry.Replace("[0,704]", "[9007199254740993,9007199254741697]"), "ends at byte 9007199254741697 of"),
            ("offset beyond 2^63", Entry.Replace("[0,704]", "[0,9223372036854775808]"), "data_offsets holds something other"),
            ("offset out of range", Entry.Replace("[0,704]", "[1000000,1000704]"), "ends at byte 1000704 of"),
            ("hole", Entry.Replace("[11,16]", "[10,16]").Replace("704", "640"), "a hole of 64 bytes"),
        ])
        {
            // A hole is noticed at the neighbour, everything else at the tensor itself.
            string named = name == "hole" ? "tensor 'model.layers.0." : $"tensor '{Embedding}'";
            yield return Header($"tensor: {name}", expected, header => header.Replace(Entry, entry, StringComparison.Ordinal), named);
        }
    }

    private static IEnumerable<KeyValuePair<string, MalformedCase>> Folders()
    {
        yield return New("folder: does not exist", "/model does not exist", folder => Directory.Delete(folder, recursive: true));
        yield return New("folder: is a file", "/model is a file", folder =>
        {
            Directory.Delete(folder, recursive: true);
            File.WriteAllText(folder, "x");
        });
        yield return New(
            "folder: empty",
            "config.json does not exist",
            folder => Directory.EnumerateFiles(folder).ToList().ForEach(File.Delete));
        yield return New(
            "folder: no configuration", "config.json does not exist", folder => File.Delete(Path.Combine(folder, "config.json")));
        yield return New(
            "folder: no weights",
            "/model has neither model.safetensors nor model.safetensors.index.json",
            folder => File.Delete(Path.Combine(folder, TestCheckpoint.Weights)));
        yield return New(
            "folder: pickled weights only",
            "/model has neither model.safetensors nor model.safetensors.index.json",
            folder => File.Move(Path.Combine(folder, TestCheckpoint.Weights), Path.Combine(folder, "pytorch_model.bin")));
        yield return Replaced(
            "folder: weights are a folder", "model.safetensors is a folder, expected a file", TestCheckpoint.Weights,
            path => Directory.CreateDirectory(path));
        yield return Replaced(
            "folder: configuration is a folder", "config.json is a folder, expected a file", TestCheckpoint.Config,
            path => Directory.CreateDirectory(path));
        yield return Replaced(
            "folder: weights link to nothing", "model.safetensors is a link to ../../blobs/0, which does not exist", TestCheckpoint.Weights,
            path => File.CreateSymbolicLink(path, "../../blobs/0"));
        yield return Replaced(
            "folder: configuration links to nothing", "config.json is a link to ../../blobs/1, which does not exist", TestCheckpoint.Config,
            path => File.CreateSymbolicLink(path, "../../blobs/1"));
        yield return Replaced(
            "folder: weights link to themselves",
            "model.safetensors cannot be read: ",
            TestCheckpoint.Weights,
            path => File.CreateSymbolicLink(path, TestCheckpoint.Weights));
        yield return Replaced(
            "folder: weights link to a folder", "model.safetensors is a folder, expected a file", TestCheckpoint.Weights,
            path => Directory.CreateSymbolicLink(path, "."));
        yield return New(
            "folder: broken ledger",
            "wisca.json: ",
            folder => File.WriteAllText(Path.Combine(folder, "wisca.json"), "{\"version\":1}"));
        yield return New(
            "folder: ledger of a later version",
            "wisca.json has version 2, expected 1",
            folder => File.WriteAllText(Path.Combine(folder, "wisca.json"), "{\"version\":2,\"moves\":[],\"files\":[]}"));

        // The superuser reads everything.
        if (Environment.IsPrivilegedProcess) yield break;
        foreach (string name in (string[])[TestCheckpoint.Weights, TestCheckpoint.Config])
        {
            yield return New($"folder: no right to read {name}", $"{name} cannot be read", folder =>
            {
                if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Path.Combine(folder, name), UnixFileMode.None);
            });
        }
    }

    private static IEnumerable<KeyValuePair<string, MalformedCase>> Indexes()
    {
        yield return Index("index: not JSON", "model.safetensors.index.json is not valid JSON", _ => "weights");
        yield return Index("index: cut short", "model.safetensors.index.json is not valid JSON", index => index.ToJsonString()[..^2]);
        yield return Index("index: empty file", "model.safetensors.index.json is not valid JSON", _ => "");
        yield return Index("index: array", "model.safetensors.index.json is not a JSON object", _ => "[]");
        yield return Index("index: no map", "model.safetensors.index.json has no object weight_map", _ => "{}");
        yield return Index("index: map is a list", "model.safetensors.index.json has no object weight_map", _ => "{\"weight_map\":[]}");
        yield return Index("index: empty map", "model.safetensors.index.json: weight_map is empty", _ => "{\"weight_map\":{}}");
        yield return Index("index: shard is a number", $"weight_map['{Query}'] is not a string", index => Set(index, Query, 1));
        yield return Index(
            "index: shard in the parent folder", $"weight_map['{Query}'] is '../x.safetensors', expected the plain name",
            index => Set(index, Query, "../x.safetensors"));
        yield return Index(
            "index: shard with an absolute path", $"weight_map['{Query}'] is '/tmp/x.safetensors', expected the plain name",
            index => Set(index, Query, "/tmp/x.safetensors"));
        yield return Index(
            "index: shard with a backslash", $"weight_map['{Query}'] is '..\\x.safetensors', expected the plain name",
            index => Set(index, Query, "..\\x.safetensors"));
        yield return Index("index: shard in a subfolder", "expected the plain name", index => Set(index, Query, "sub/x.safetensors"));
        yield return Index(
            "index: shard of another kind", "expected the plain name of a .safetensors file", index => Set(index, Query, "config.json"));
        yield return Sharded(
            "index: missing shard", $"model.safetensors.index.json lists {Second}, which is not in",
            folder => File.Delete(Path.Combine(folder, Second)));
        yield return Index(
            "index: tensor in the other shard", $"tensor '{Query}' is in {First}, but model.safetensors.index.json says {Second}",
            index => Set(index, Query, Second));
        yield return Index(
            "index: tensor that is not listed",
            $"{First} holds tensor '{Query}', which model.safetensors.index.json does not list",
            index =>
            {
                index["weight_map"]!.AsObject().Remove(Query);
                return index.ToJsonString();
            });
        yield return Index(
            "index: tensor that is in no shard", $"says that tensor 'extra' is in {First}, but it is not there",
            index => Set(index, "extra", First));
        yield return Index(
            "index: tensor twice",
            "model.safetensors.index.json names a key twice",
            index =>
                index.ToJsonString().Replace("\"weight_map\":{", $"\"weight_map\":{{\"{Query}\":\"{First}\",", StringComparison.Ordinal));
        yield return Index(
            "index: half a surrogate pair",
            "model.safetensors.index.json holds a string that is not valid Unicode",
            index =>
                index.ToJsonString().Replace("\"weight_map\":{", $"\"weight_map\":{{\"\\udfff\":\"{First}\",", StringComparison.Ordinal));
        yield return Sharded("index: shard cut short", "model.layers.1", folder => Truncate(Path.Combine(folder, Second), 4000));
        yield return Sharded("index: shard links to nothing", $"{Second} is a link to gone, which does not exist", folder =>
        {
            File.Delete(Path.Combine(folder, Second));
            File.CreateSymbolicLink(Path.Combine(folder, Second), "gone");
        });
        yield return Sharded("index: links to nothing", "model.safetensors.index.json is a link to gone, which does not exist", folder =>
        {
            File.Delete(Path.Combine(folder, TestCheckpoint.Index));
            File.CreateSymbolicLink(Path.Combine(folder, TestCheckpoint.Index), "gone");
        });
    }

    private static IEnumerable<KeyValuePair<string, MalformedCase>> Configurations()
    {
        yield return Config("config: empty file", "config.json is not valid JSON", _ => "");
        yield return Config("config: comma, a new line", "config.json is not valid JSON (line ", text => text.TrimEnd()[..^1] + ",\n}");
        yield return Config("config: comma behind the last", "): a comma with nothing behind it", text => text.TrimEnd()[..^1] + ",}");
        yield return Config("config: comment", "): a comment, which JSON does not have", text => "{ // llama\n" + text.TrimStart()[1..]);
        yield return Config("config: Python's None", "): NaN, Infinity or None, which", text => "{\"a\": None," + text.TrimStart()[1..]);
        yield return Config("config: not JSON", "config.json is not valid JSON", _ => "model_type: llama");
        yield return Config("config: cut short", "config.json is not valid JSON", text => text[..(text.Length / 2)]);
        yield return Config("config: array", "config.json is not a JSON object", text => $"[{text}]");
        yield return Config("config: null", "config.json is not a JSON object", _ => "null");
        yield return Config("config: byte order mark", "(line 1, column 1): a byte order mark", text => "\uFEFF" + text);
        yield return Config(
            "config: key twice",
            "config.json names a key twice",
            text => text.Replace("{", "{\"model_type\":\"llama\",", StringComparison.Ordinal));
        yield return Config(
            "config: deep nesting",
            "config.json is not valid JSON",
            text => text.Replace("{", "{\"x\":" + new string('[', 100_000) + ",", StringComparison.Ordinal));
        yield return Config(
            "config: half a surrogate pair",
            "config.json holds a string that is not valid Unicode",
            text => text.Replace("\"llama\"", "\"\\ud800\"", StringComparison.Ordinal));
        yield return New(
            "config: not UTF-8",
            "config.json:1: byte 0xE9 is not valid UTF-8",
            folder => File.WriteAllBytes(Path.Combine(folder, "config.json"), [.. "{\"model_type\":\""u8, 0xE9, .. "\"}"u8]));
        yield return Key("config: no model_type", "config.json: no string model_type", "model_type", null);
        yield return Key("config: model_type is a number", "config.json: no string model_type", "model_type", "3");
        yield return Key(
            "config: unknown model_type", "model_type 'lama' is not known; the nearest known ones are", "model_type", "\"lama\"");
        yield return Key("config: model_type with a line break", "model_type 'la\\u000ama' is not known", "model_type", "\"la\\nma\"");
        yield return Key("config: no hidden_size", "config.json: no hidden_size", "hidden_size", null);
        yield return Key("config: no layers", "config.json: no num_hidden_layers", "num_hidden_layers", null);
        yield return Key("config: no heads", "config.json: no num_attention_heads", "num_attention_heads", null);
        yield return Key("config: heads are null", "config.json: no num_attention_heads", "num_attention_heads", "null");
        yield return Key(
            "config: heads are text", "config.json: num_attention_heads is \"4\", expected a whole number from 1", "num_attention_heads",
            "\"4\"");
        yield return Key(
            "config: heads are a list", "config.json: num_attention_heads is [4], expected a whole number", "num_attention_heads", "[4]");
        yield return Key(
            "config: no head at all", "config.json: num_attention_heads is 0, expected a whole number from 1", "num_attention_heads", "0");
        yield return Key(
            "config: negative heads", "config.json: num_attention_heads is -4, expected a whole number from 1", "num_attention_heads",
            "-4");
        yield return Key(
            "config: heads with a point", "config.json: num_attention_heads is 4.0, expected a whole number", "num_attention_heads", "4.0");
        yield return Key(
            "config: heads beyond float64", "config.json: num_attention_heads is 1e999, expected a whole number", "num_attention_heads",
            "1e999");
        yield return Key(
            "config: heads beyond 32 bits", "config.json: num_attention_heads is 4294967300, expected a whole number",
            "num_attention_heads", "4294967300");
        yield return Key("config: two milliard heads", "config.json: 2147483647 heads of 8 channels", "num_attention_heads", "2147483647");
        yield return Key(
            "config: two milliard layers", "config.json: 2147483647 layers in a checkpoint of", "num_hidden_layers", "2147483647");
        yield return Key(
            "config: one layer too many", "the checkpoint has no tensor 'model.layers.2.self_attn.q_proj.weight'", "num_hidden_layers",
            "3");
        yield return Key(
            "config: heads not divisible by kv heads", "config.json: 4 query heads cannot share 3 kv heads evenly", "num_key_value_heads",
            "3");
        yield return Key(
            "config: more kv heads than heads", "config.json: 4 query heads cannot share 8 kv heads evenly", "num_key_value_heads", "8");
        yield return Key("config: other head_dim", "q_proj.weight' has shape [32, 16], expected [16, 16]", "head_dim", "4");
        yield return Key("config: odd head_dim", "7 rotary channels in heads of 7", "head_dim", "7");
        yield return Key("config: other hidden_size", "q_proj.weight' has shape [32, 16], expected [32, 24]", "hidden_size", "24");
        yield return Config(
            "config: hidden_size not divisible by heads",
            "config.json: hidden size 18 is not a multiple of 4 heads",
            text =>
                text.Replace("\"head_dim\": 8,", "", StringComparison.Ordinal)
                    .Replace("\"hidden_size\": 16", "\"hidden_size\": 18", StringComparison.Ordinal));
        yield return Key("config: other family", "head_dim is 8, but the head_dim of a gptj model", "model_type", "\"gptj\"", "gptj");
    }

    private static IEnumerable<KeyValuePair<string, MalformedCase>> Weights()
    {
        yield return Element(
            "weights: NaN in W_q", $"model.safetensors: tensor '{Query}' holds NaN or infinity at [0, 0]", Query, 0, float.NaN);
        yield return Element(
            "weights: NaN in the last element", $"tensor '{Query}' holds NaN or infinity at [31, 15]", Query, 511, float.NaN);
        yield return Element(
            "weights: infinity in W_k", "k_proj.weight' holds NaN or infinity at [1, 1]", "model.layers.0.self_attn.k_proj.weight", 17,
            float.PositiveInfinity);
        yield return Element(
            "weights: negative infinity in W_o", "o_proj.weight' holds NaN or infinity at [0, 31]",
            "model.layers.0.self_attn.o_proj.weight", 31, float.NegativeInfinity);
        yield return Tensors(
            "weights: NaN in a bias",
            "q_proj.bias' holds NaN or infinity at [2]",
            (tensors, _) => tensors.Add(Tensor("model.layers.0.self_attn.q_proj.bias", [32], value: 2)),
            inspect: false);
        yield return Tensors(
            "weights: bias of another length",
            "q_proj.bias' has shape [31], expected [32]",
            (tensors, _) => tensors.Add(Tensor("model.layers.0.self_attn.q_proj.bias", [31])));
        yield return Tensors(
            "weights: W_q transposed",
            $"'{Query}' has shape [16, 32], expected [32, 16]",
            (tensors, at) => tensors[at] = tensors[at] with { Shape = [16, 32] });
        yield return Tensors(
            "weights: W_q flattened",
            $"'{Query}' has shape [512], expected [32, 16]",
            (tensors, at) => tensors[at] = tensors[at] with { Shape = [512] });
        yield return Tensors(
            "weights: W_q with three axes",
            $"'{Query}' has shape [4, 8, 16], expected [32, 16]",
            (tensors, at) => tensors[at] = tensors[at] with { Shape = [4, 8, 16] });
        yield return Tensors(
            "weights: W_q of no rows",
            $"'{Query}' has shape [0, 16], expected [32, 16]",
            (tensors, at) => tensors[at] = tensors[at] with { Shape = [0, 16], Bytes = [] });
        yield return Tensors(
            "weights: no W_k", "the checkpoint has no tensor 'model.layers.1.self_attn.k_proj.weight'",
            (tensors, at) => tensors.RemoveAt(at + 1));
        yield return Tensors("weights: no tensors", "layers in a checkpoint of 0 tensors", (tensors, _) => tensors.Clear());
        yield return Tensors(
            "weights: other names",
            "the checkpoint has no tensor 'model.layers.0.self_attn.q_proj.weight'",
            (tensors, _) =>
            {
                for (int i = 0; i < tensors.Count; i++)
                    tensors[i] = tensors[i] with { Name = "x." + tensors[i].Name };
            });
        yield return Tensors(
            "weights: eight bits", "self_attn.q_proj.weight is stored as I8, which is not rescaled",
            (tensors, _) => Retype(tensors, "I8", 1), inspect: false);
        yield return Tensors(
            "weights: eight-bit floats", "self_attn.q_proj.weight is stored as F8_E4M3, which is not rescaled",
            (tensors, _) => Retype(tensors, "F8_E4M3", 1), inspect: false);
        yield return Tensors(
            "weights: packed", "self_attn.q_proj comes with qweight, scales: packed", (tensors, _) => Pack(tensors), inspect: false);
        yield return Tensors(
            "weights: unknown tensor in every layer",
            "self_attn.q_norm.weight' is not in the table of llama",
            (tensors, _) =>
            {
                tensors.Add(Tensor("model.layers.0.self_attn.q_norm.weight", [8]));
                tensors.Add(Tensor("model.layers.1.self_attn.q_norm.weight", [8]));
            },
            inspect: false);
    }

    private static KeyValuePair<string, MalformedCase> New(
        string name, string expected, Action<string> change, bool inspect = true, string named = ""
    ) => KeyValuePair.Create(name, new MalformedCase(expected, change, inspect, named));

    private static KeyValuePair<string, MalformedCase> Weights(
        string name, string expected, Func<byte[], byte[]> change, string named = "model.safetensors: "
    ) =>
        New(
            name,
            expected,
            folder =>
            {
                string path = Path.Combine(folder, TestCheckpoint.Weights);
                File.WriteAllBytes(path, change(File.ReadAllBytes(path)));
            },
            named: named);

    private static KeyValuePair<string, MalformedCase> Header(
        string name, string expected, Func<string, string> change, string named = "model.safetensors: "
    ) =>
        Weights(
            name,
            expected,
            bytes =>
            {
                int length = BitConverter.ToInt32(bytes);
                string header = Encoding.UTF8.GetString(bytes, 8, length),
                    changed = change(header);
                changed.ShouldNotBe(header);
                return TestCheckpoint.File(changed, bytes[(8 + length)..]);
            },
            named);

    private static KeyValuePair<string, MalformedCase> Bytes(string name, string expected, Action<byte[]> change) =>
        Weights(
            name,
            expected,
            bytes =>
            {
                int length = BitConverter.ToInt32(bytes);
                byte[] header = bytes[8..(8 + length)];
                change(header);
                return TestCheckpoint.File(header, bytes[(8 + length)..]);
            });

    private static KeyValuePair<string, MalformedCase> Replaced(string name, string expected, string file, Action<string> create) =>
        New(
            name,
            expected,
            folder =>
            {
                File.Delete(Path.Combine(folder, file));
                create(Path.Combine(folder, file));
            });

    private static KeyValuePair<string, MalformedCase> Sharded(string name, string expected, Action<string> change) =>
        New(
            name,
            expected,
            folder =>
            {
                File.Delete(Path.Combine(folder, TestCheckpoint.Weights));
                (Model with { Shards = 2 }).Write(folder);
                change(folder);
            });

    private static KeyValuePair<string, MalformedCase> Index(string name, string expected, Func<JsonObject, string> change) =>
        Sharded(
            name,
            expected,
            folder =>
            {
                string path = Path.Combine(folder, TestCheckpoint.Index);
                File.WriteAllText(path, change(JsonNode.Parse(File.ReadAllText(path))!.AsObject()));
            });

    private static string Set(JsonObject index, string tensor, JsonNode shard)
    {
        index["weight_map"]![tensor] = shard;
        return index.ToJsonString(
            new System.Text.Json.JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static KeyValuePair<string, MalformedCase> Config(string name, string expected, Func<string, string> change) =>
        New(
            name,
            expected,
            folder =>
            {
                string path = Path.Combine(folder, TestCheckpoint.Config),
                    text = File.ReadAllText(path),
                    changed = change(text);
                changed.ShouldNotBe(text);
                File.WriteAllText(path, changed);
            });

    /// <summary>Sets a key to a piece of JSON, or removes it.</summary>
    private static KeyValuePair<string, MalformedCase> Key(string name, string expected, string key, string? json, string? family = null) =>
        Config(
            name,
            expected,
            text =>
            {
                var config = JsonNode.Parse(text)!.AsObject();
                config.Remove(key).ShouldBeTrue();
                if (family == "gptj")
                {
                    foreach (var (gptj, value) in ((string, int)[])[("n_layer", 2), ("n_embd", 16), ("n_head", 4), ("rotary_dim", 4)])
                        config[gptj] = value;
                }

                string rest = config.ToJsonString();
                return json is null ? rest : $"{{\"{key}\":{json},{rest[1..]}";
            });

    private static KeyValuePair<string, MalformedCase> Tensors(
        string name, string expected, Action<List<TestTensor>, int> change, bool inspect = true
    ) =>
        New(
            name,
            expected,
            folder =>
            {
                var tensors = Model.Tensors();
                change(tensors, tensors.FindIndex(tensor => tensor.Name == Query));
                Model.Write(folder, tensors);
            },
            inspect);

    private static KeyValuePair<string, MalformedCase> Element(string name, string expected, string tensor, int element, float value) =>
        Tensors(
            name,
            expected,
            (tensors, _) =>
                BitConverter.TryWriteBytes(tensors.Single(candidate => candidate.Name == tensor).Bytes.AsSpan(4 * element), value));

    /// <summary>A tensor of ones, with NaN at one place where that is asked for.</summary>
    private static TestTensor Tensor(string name, long[] shape, int value = -1) =>
        new(
            name,
            "F32",
            shape,
            ReferenceFloat.Bytes(
                "F32",
                Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(index => index == value ? double.NaN : 1)));

    private static void Retype(List<TestTensor> tensors, string dtype, int size)
    {
        for (int i = 0; i < tensors.Count; i++)
        {
            if (tensors[i].Name.Contains("self_attn", StringComparison.Ordinal))
                tensors[i] = tensors[i] with { Dtype = dtype, Bytes = tensors[i].Bytes[..(tensors[i].Bytes.Length * size / 4)] };
        }
    }

    private static void Pack(List<TestTensor> tensors)
    {
        for (int i = tensors.Count - 1; i >= 0; i--)
        {
            if (!tensors[i].Name.Contains("self_attn", StringComparison.Ordinal)) continue;
            string module = tensors[i].Name[..^"weight".Length];
            tensors[i] = new TestTensor(module + "qweight", "I32", [4], new byte[16]);
            tensors.Add(Tensor(module + "scales", [4]));
        }
    }

    private static void Truncate(string path, int length)
    {
        using var stream = File.OpenWrite(path);
        stream.SetLength(length);
    }
}
