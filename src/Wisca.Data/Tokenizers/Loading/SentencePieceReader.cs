using System.Text;
using Wisca.Data.Tokenizers.Decoding;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.Pipelines;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// Reads a SentencePiece model of type BPE or unigram. One of type BPE knows no merges, only pieces with scores: two neighbours merge where
/// what they spell together is a piece, the highest score first, so that every way to cut a piece in two is a merge of its score.
/// </summary>
internal static class SentencePieceReader
{
    private const float SmallestNormalFloat = 1.17549435e-38f;

    public static Pipeline Read(string path, TokenizerSettings settings)
    {
        string file = Path.GetFileName(path);
        var model = SentencePieceModel.Load(path);
        Check(model, file);
        var pieces = model.Pieces;
        var vocabulary = new Vocabulary([.. pieces.Select((piece, id) => (piece.Text, id))], file);
        foreach (var token in settings.AddedTokens())
        {
            if (vocabulary.Find(token.Content) != token.Id)
            {
                string message = $"{file} lacks the token {Vocabulary.Quote(token.Content)} (id {token.Id}) of the files beside it";
                throw new WiscaException(message, "add the model's tokenizer.json");
            }
        }

        int unknown = pieces.FindIndex(piece => piece.Type == SentencePieceType.Unknown);
        var added = pieces.Select((piece, id) => new AddedToken(piece.Text, id, piece.Type == SentencePieceType.Control))
            .Where(token => pieces[token.Id].Type is SentencePieceType.Control or SentencePieceType.UserDefined).ToList();
        var userDefined = added.Where(token => !token.Special).Select(token => (token.Content, token));
        int? Control(string name) =>
            pieces.FindIndex(piece => piece.Type == SentencePieceType.Control && piece.Text == name) is >= 0 and int id ? id : null;
        var (bos, eos) = settings.BosAndEos(vocabulary.Find, vocabulary.Size, Control(model.BosPiece), Control(model.EosPiece));
        return new Pipeline
        {
            Kind = TokenizerKind.SentencePiece,
            Source = path,
            Vocabulary = vocabulary,
            AddedTokens = added,
            RawMatcher = new AddedTokenMatcher([]),
            Normalizer = new SentencePieceNormalizer(model, file).Normalize,

            // A unigram model weighs what the user defined against its other pieces.
            NormalizedMatcher = new AddedTokenMatcher(model.ModelType == SentencePieceModel.Unigram ? [] : userDefined),
            Model = model.ModelType == SentencePieceModel.Unigram
                ? Unigram(model, vocabulary, unknown, file)
                : new BytePairModel(vocabulary, Merges(pieces, vocabulary), new BytePairOptions
                {
                    UnknownId = unknown,
                    FuseUnknown = true,
                    ByteFallback = model.ByteFallback,
                }),
            Template = settings.Template(bos, eos, addBos: bos is not null),
            Decoders = [new ByteFallbackDecoder(keepValidParts: true), new SentencePieceDecoder(model, pieces[unknown].Text)],
            BosId = bos,
            EosId = eos,
        };
    }

    private static void Check(SentencePieceModel model, string file)
    {
        if (model.ModelType is not (SentencePieceModel.BytePair or SentencePieceModel.Unigram))
        {
            string type = model.ModelType switch { 3 => "WORD", 4 => "CHAR", var other => $"{other}" };
            throw new WiscaException($"{file}: trainer_spec.model_type is {type}, which is not supported", "supported are BPE and UNIGRAM");
        }

        string? unsupported = model.TreatWhitespaceAsSuffix ? "trainer_spec.treat_whitespace_as_suffix"
            : !model.EscapeWhitespaces ? "normalizer_spec.escape_whitespaces = false"
            : model.HasDenormalizer ? "denormalizer_spec.precompiled_charsmap"
            : null;
        if (unsupported is not null) throw new WiscaException($"{file}: {unsupported} is not supported", "this tokenizer cannot be used");
        int unknowns = model.Pieces.Count(piece => piece.Type == SentencePieceType.Unknown);
        if (unknowns != 1) throw new WiscaException($"{file} has {unknowns} unknown tokens, expected 1", "the file is damaged");
        if (model.Pieces.FindIndex(piece => piece.Text.Length == 0) is >= 0 and int empty)
            throw new WiscaException($"{file}: piece {empty} is empty", "the file is damaged");
        if (model.ModelType == SentencePieceModel.Unigram) return;
        if (model.Pieces.FindIndex(piece => piece.Type == SentencePieceType.Unused) is >= 0 and int unused)
            throw new WiscaException($"{file}: piece {unused} is unused, which is not supported", "this tokenizer cannot be used");
        var texts = model.Pieces.Select(piece => piece.Text).ToHashSet(StringComparer.Ordinal);
        foreach (var (text, _, _) in model.Pieces.Where(piece => piece.Type == SentencePieceType.Normal))
        {
            // SentencePiece can merge a character that is no piece into one that is; merges between ids cannot say that.
            if (text.EnumerateRunes().Any(rune => !texts.Contains(rune.ToString())))
            {
                string message = $"{file}: piece {Vocabulary.Quote(text)} has a character that is no piece, which is not supported";
                throw new WiscaException(message, "this tokenizer cannot be used");
            }
        }
    }

    private static UnigramModel Unigram(SentencePieceModel model, Vocabulary vocabulary, int unknown, string file)
    {
        var pieces = model.Pieces;
        float[] scores = [.. pieces.Where(piece => piece.Type == SentencePieceType.Normal).Select(piece => piece.Score)];
        if (scores.Length == 0) throw new WiscaException($"{file} has no piece of text", "the file is damaged");

        // SentencePiece begins its search for the highest score at the smallest positive float32, not at the lowest one.
        double highest = Math.Max(scores.Max(), SmallestNormalFloat);
        return new UnigramModel(
            vocabulary,
            from entry in pieces.Index()
            let piece = entry.Item
            where piece.Type is SentencePieceType.Normal or SentencePieceType.UserDefined
            select (entry.Index, Score(piece.Text, piece.Score, piece.Type)),
            new UnigramOptions
            {
                UnknownId = unknown,
                ByteFallback = model.ByteFallback,
                UnknownScore = (float)(scores.Min() - UnigramModel.UnknownPenalty),
                AsSentencePiece = true,
                Where = file,
            });

        // What the user defined nearly always wins.
        double Score(string text, float score, SentencePieceType type) =>
            type == SentencePieceType.UserDefined ? (float)(Encoding.UTF8.GetByteCount(text) * (float)highest) - 0.1 : score;
    }

    private static List<BytePairMerge> Merges(List<(string Text, float Score, SentencePieceType Type)> pieces, Vocabulary vocabulary)
    {
        // Equal scores are of one rank: between them the leftmost comes first, whatever the piece.
        var ranks = new Dictionary<float, int>();
        foreach (float score in pieces.Select(piece => piece.Score).Distinct().OrderDescending()) ranks.Add(score, ranks.Count);
        var merges = new List<BytePairMerge>();
        var bySpan = vocabulary.BySpan();
        for (int id = 0; id < pieces.Count; id++)
        {
            var (text, score, type) = pieces[id];
            if (type != SentencePieceType.Normal) continue;
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (char.IsLowSurrogate(text[cut])) continue;
                if (!bySpan.TryGetValue(text.AsSpan(0, cut), out int left) || !bySpan.TryGetValue(text.AsSpan(cut), out int right))
                    continue;
                bool both = pieces[left].Type == SentencePieceType.Normal && pieces[right].Type == SentencePieceType.Normal;
                if (both) merges.Add(new BytePairMerge(left, right, ranks[score], id));
            }
        }

        return merges;
    }
}
