using Wisca.Data.Tokenizers.Decoding;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.Pipelines;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// Reads a SentencePiece model of type BPE. The model knows no merges, only pieces with scores: two neighbours merge where what
/// they spell together is a piece, the highest score first, so that every way to cut a piece in two is a merge of its score.
/// </summary>
internal static class SentencePieceReader
{
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
            NormalizedMatcher = new AddedTokenMatcher(userDefined),
            Model = new BytePairModel(vocabulary, Merges(pieces, vocabulary), new BytePairOptions
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
        if (model.ModelType != SentencePieceModel.BytePair)
        {
            string type = model.ModelType switch { 1 => "UNIGRAM", 3 => "WORD", 4 => "CHAR", var other => $"{other}" };
            throw new WiscaException($"{file}: trainer_spec.model_type is {type}, which is not supported", "supported is BPE");
        }

        string? unsupported = model.TreatWhitespaceAsSuffix ? "trainer_spec.treat_whitespace_as_suffix"
            : !model.EscapeWhitespaces ? "normalizer_spec.escape_whitespaces = false"
            : model.HasDenormalizer ? "denormalizer_spec.precompiled_charsmap"
            : null;
        if (unsupported is not null) throw new WiscaException($"{file}: {unsupported} is not supported", "this tokenizer cannot be used");
        int unknowns = model.Pieces.Count(piece => piece.Type == SentencePieceType.Unknown);
        if (unknowns != 1) throw new WiscaException($"{file} has {unknowns} unknown tokens, expected 1", "the file is damaged");
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

        if (model.Pieces.FindIndex(piece => piece.Text.Length == 0) is >= 0 and int empty)
            throw new WiscaException($"{file}: piece {empty} is empty", "the file is damaged");
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
