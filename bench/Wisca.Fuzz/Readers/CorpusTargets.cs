using System.IO.Compression;
using System.Text;
using Wisca.Data.Corpora;
using Wisca.Data.Instructions;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Fuzz.Readers;

/// <summary>What is trained on: Parquet, instructions and token files.</summary>
internal sealed class CorpusTargets : ITargets
{
    private static readonly string[] Instructions =
    [
        """{"instruction":"Say it.","input":"","output":"It.","history":[["a","b"]],"system":"s"}""",
        """{"prompt":"2 + 2?","completion":" 4","weight":1,"id":7}""",
        """{"prompt":[{"role":"user","content":"Q"}],"completion":[{"role":"assistant","content":"A"}]}""",
        """
        {"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"Q"}]},
        {"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
        {"role":"tool","name":"f","content":"{}"},{"role":"assistant","content":"A","weight":0}],
        "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}
        """.ReplaceLineEndings(""),
        """{"conversations":[{"from":"human","value":"Q"},{"from":"gpt","value":"A"}],"system":"s","tools":"[]"}""",
        """{"question":"Q","answer":"A","context":null,"category":"c"}""",
    ];

    // {"text":"hello world"} as zstd and as gzip pack it.
    private static readonly byte[][] Packed =
    [
        Convert.FromBase64String("KLUv/QQAuQAAeyJ0ZXh0IjoiaGVsbG8gd29ybGQifQo="),
        Pack("""{"text":"hello world"}"""),
        Pack(string.Concat(Enumerable.Repeat("{\"text\":\"hello hello hello world, how is it?\"}\n", 50))),
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly Tokenizer _tokenizer = TokenizerLoader.Load(Fixtures.DataTests("bytes.model"));

    public CorpusTargets()
    {
        byte[][] corpora =
            [File.ReadAllBytes(Fixtures.DataTests("pages.parquet")), File.ReadAllBytes(Fixtures.DataTests("pages-v2.parquet"))];
        byte[] chat = File.ReadAllBytes(Fixtures.DataTests("chat.parquet"));
        CorpusTokenizer.Tokenize(["The boat.", "Hello there, said the boat.", "Ducks.", "It is so."], _tokenizer, _folder["x.tokens"]);
        byte[] tokens = File.ReadAllBytes(_folder["x.tokens"]);
        All =
        [
            new Target("parquet", 12, random => Parquet(random.GetItems(corpora, 1)[0], random), ReadCorpus, null)
            {
                JsonOf = _ => default,
            },
            new Target("parquet-rows", 12, random => Parquet(chat, random), ReadRows, null)
            {
                JsonOf = _ => default,
            },
            new Target(
                "instructions",
                12,
                CreateInstructions,
                input => ReadInstructions(input is [(byte)'[', ..] ? "x.json" : "x.jsonl", input),
                null),
            new Target("packed", 6, random => Mutator.Binary(random.GetItems(Packed, 1)[0], random, ..), ReadPacked, null)
            {
                JsonOf = _ => default,
            },
            new Target("tokens", 6, random => Mutator.Binary(tokens, random, ..64), ReadTokens, null) { JsonOf = _ => default },
        ];
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose() => _folder.Dispose();

    /// <summary>The footer and the pages' headers are what a reader believes.</summary>
    private static byte[] Parquet(byte[] file, Random random)
    {
        int footer = BitConverter.ToInt32(file, file.Length - 8) + 8;
        return random.Next(20) == 0 ? file : Mutator.Binary(file, random, random.Next(3) == 0 ? 4..80 : ^footer..);
    }

    private static byte[] CreateInstructions(Random random)
    {
        string[] rows = random.GetItems(Instructions, random.Next(1, 4));
        if (random.Next(3) == 0) return Mutator.Json($"[{string.Join(',', rows)}]", random);
        string row = rows[0];
        return [.. Mutator.Json(row, random), (byte)'\n', .. Encoding.UTF8.GetBytes(row)];
    }

    private void ReadCorpus(byte[] input)
    {
        File.WriteAllBytes(_folder["x.parquet"], input);
        foreach (string document in CorpusReader.Open([_folder["x.parquet"]]).Documents())
        {
            if (string.IsNullOrWhiteSpace(document)) throw new InvalidOperationException("a document of nothing");
        }
    }

    /// <summary>One of the rows has no messages, and says so when all of them were read.</summary>
    private void ReadRows(byte[] input)
    {
        try
        {
            ReadInstructions("x.parquet", input);
        }
        catch (WiscaException exception) when (exception.Message.EndsWith("row 2: 'messages' is empty", StringComparison.Ordinal))
        {
        }
    }

    private void ReadInstructions(string name, byte[] input)
    {
        File.WriteAllBytes(_folder[name], input);
        var reader = new InstructionReader(new InstructionReaderOptions { DropsEmpty = true });
        var examples = reader.Read(_folder[name]);
        InstructionSet.Encode(examples, new InstructionEncoder(_tokenizer, InstructionTemplate.For(reader.Format)), 64, truncates: true);
    }

    private static byte[] Pack(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal)) gzip.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }

    private void ReadPacked(byte[] input)
    {
        File.WriteAllBytes(_folder["x.jsonl.zst"], input);
        foreach (string document in CorpusReader.Open([_folder["x.jsonl.zst"]]).Documents())
        {
            if (string.IsNullOrWhiteSpace(document)) throw new InvalidOperationException("a document of nothing");
        }
    }

    private void ReadTokens(byte[] input)
    {
        File.WriteAllBytes(_folder["y.tokens"], input);
        using var file = TokenFile.Open(_folder["y.tokens"]);
        var sampler = new WindowSampler(file, 4, 1);
        long[] ids = new long[5];
        for (long position = 0; position < 6; position++)
        {
            sampler.Read(position, ids);
            if (ids.Any(id => id < 0 || id >= file.VocabularySize)) throw new InvalidOperationException("an id beyond the vocabulary");
        }
    }
}
