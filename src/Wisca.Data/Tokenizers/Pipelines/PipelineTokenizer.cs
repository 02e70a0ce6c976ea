using System.Text;
using Wisca.Data.Tokenizers.Models;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>A tokenizer that sends texts through a <see cref="Pipeline"/>, as Hugging Face's tokenizers do.</summary>
internal sealed class PipelineTokenizer : Tokenizer
{
    private readonly Pipeline _pipeline;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<string, int> _addedIds;

    public PipelineTokenizer(Pipeline pipeline)
    {
        _pipeline = pipeline;
        _added = pipeline.AddedTokens.ToDictionary(token => token.Id);
        _addedIds = pipeline.AddedTokens.ToDictionary(token => token.Content, token => token.Id, StringComparer.Ordinal);
        VocabularySize = Math.Max(pipeline.Vocabulary.Size, _added.Count == 0 ? 0 : _added.Keys.Max() + 1);
    }

    public override TokenizerKind Kind => _pipeline.Kind;

    public override string Source => _pipeline.Source;

    public override int VocabularySize { get; }

    public override int? BosId => _pipeline.BosId;

    public override int? EosId => _pipeline.EosId;

    public override int? FindId(string token) => _addedIds.TryGetValue(token, out int id) ? id : _pipeline.Vocabulary.Find(token);

    public override string? FindToken(int id) => _added.TryGetValue(id, out var token) ? token.Content : _pipeline.Vocabulary[id];

    public override int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = WithoutLoneSurrogates(text);
        var ids = new List<int>((text.Length / 3) + 8);
        var scratch = new Scratch(_pipeline.Model.CreateEncoder());
        if (addSpecialTokens) ids.AddRange(_pipeline.Template.Before);
        var segments = new List<TextSegment>();
        _pipeline.RawMatcher.Cut(text, segments);
        foreach (var segment in segments)
        {
            if (segment.Id is { } id) ids.Add(id);
            else EncodeRaw(text[segment.Start..segment.End], segment.Start == 0, scratch, ids);
        }

        if (addSpecialTokens) ids.AddRange(_pipeline.Template.After);
        return [.. ids];
    }

    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
        {
            bool skipped = skipSpecialTokens && _added.TryGetValue(id, out var added) && added.Special;
            if (!skipped && FindToken(id) is { } token) tokens.Add(token);
        }

        if (_pipeline.Decoders is null) return string.Join(' ', tokens);
        return string.Concat(_pipeline.Decoders.Aggregate((IReadOnlyList<string>)tokens, (current, decoder) => decoder.Apply(current)));
    }

    /// <summary>Replaces each half of a surrogate pair by U+FFFD.</summary>
    public static string WithoutLoneSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')) return text;
        var mended = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) mended.Append(rune); // gives U+FFFD for half a pair
        return mended.ToString();
    }

    private void EncodeRaw(string text, bool atStart, Scratch scratch, List<int> ids)
    {
        string normalized = _pipeline.Normalizer(text);
        var segments = new List<TextSegment>();
        _pipeline.NormalizedMatcher.Cut(normalized, segments);
        foreach (var segment in segments)
        {
            if (segment.Id is { } id) ids.Add(id);
            else EncodeNormalized(normalized.AsSpan()[segment.Start..segment.End], atStart && segment.Start == 0, scratch, ids);
        }
    }

    private void EncodeNormalized(ReadOnlySpan<char> text, bool atStart, Scratch scratch, List<int> ids)
    {
        var (pieces, next) = (scratch.Pieces, scratch.NextPieces);
        pieces.Clear();
        pieces.Add(text);
        foreach (var preTokenizer in _pipeline.PreTokenizers)
        {
            next.Clear();
            for (int i = 0; i < pieces.Count; i++) preTokenizer.Apply(pieces[i], atStart && i == 0, next);
            (pieces, next) = (next, pieces);
        }

        for (int i = 0; i < pieces.Count; i++) scratch.Encoder.Encode(pieces[i], ids);
    }

    /// <summary>What one call of Encode works in; calls on other threads have their own.</summary>
    private sealed class Scratch(IPieceEncoder encoder)
    {
        public PieceBuffer Pieces { get; } = new();

        public PieceBuffer NextPieces { get; } = new();

        public IPieceEncoder Encoder => encoder;
    }
}
