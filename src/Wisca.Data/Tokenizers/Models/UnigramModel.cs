using System.Text;

namespace Wisca.Data.Tokenizers.Models;

/// <summary>
/// The unigram model: of all ways to spell a text by pieces, the one of the highest sum of scores (log-probabilities), found from left
/// to right; of equal ones, the one that was found first (github.com/google/sentencepiece, unigram_model.cc, EncodeOptimized).
/// </summary>
internal sealed class UnigramModel : IPieceModel
{
    /// <summary>By how much an unknown character scores below the worst piece.</summary>
    public const double UnknownPenalty = 10;

    private readonly Dictionary<long, int> _children = [];
    private readonly List<int> _pieceAt = [-1];
    private readonly double[] _scores;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly int?[] _byteIds = new int?[256];
    private readonly UnigramOptions _options;

    /// <param name="vocabulary">All tokens.</param>
    /// <param name="pieces">Those that spell text, each with its score.</param>
    /// <param name="options">What to do with the rest.</param>
    public UnigramModel(Vocabulary vocabulary, IEnumerable<(int Id, double Score)> pieces, UnigramOptions options)
    {
        _ids = vocabulary.BySpan();
        _options = options;
        _scores = new double[vocabulary.Size];
        foreach (var (id, score) in pieces)
        {
            _scores[id] = score;
            Insert(vocabulary[id]!, id);
        }

        for (int value = 0; options.ByteFallback && value < 256; value++) _byteIds[value] = vocabulary.Find($"<0x{value:X2}>");
    }

    /// <inheritdoc/>
    public IPieceEncoder CreateEncoder() => new Encoder(this);

    private void Insert(string piece, int id)
    {
        int node = 0;
        foreach (char letter in piece)
        {
            long key = Key(node, letter);
            if (!_children.TryGetValue(key, out int child))
            {
                _children.Add(key, child = _pieceAt.Count);
                _pieceAt.Add(-1);
            }

            node = child;
        }

        _pieceAt[node] = id;
    }

    private static long Key(int node, char letter) => ((long)node << 16) | letter;

    /// <summary>The best paths to every place of one piece of text.</summary>
    private sealed class Encoder(UnigramModel model) : IPieceEncoder
    {
        // The best path that ends at a place: its sum, where its last token begins (-1: no path), and that token (-1: unknown).
        private double[] _sums = [];
        private int[] _starts = [];
        private int[] _tokens = [];

        public void Encode(ReadOnlySpan<char> piece, List<int> output)
        {
            if (_sums.Length <= piece.Length)
            {
                int room = Math.Max(64, Math.Max(piece.Length + 1, 2 * _sums.Length));
                (_sums, _starts, _tokens) = (new double[room], new int[room], new int[room]);
            }

            _starts.AsSpan(0, piece.Length + 1).Fill(-1);
            _sums[0] = 0;
            for (int start = 0; start < piece.Length;)
            {
                Rune.DecodeFromUtf16(piece[start..], out _, out int character);
                if (!Extend(piece, start, start + character)) Offer(start, start + character, -1, model._options.UnknownScore);
                start += character;
            }

            Collect(piece, output);
        }

        /// <summary>Offers every piece that begins at a place.</summary>
        /// <returns>True where one of them is the single character there.</returns>
        private bool Extend(ReadOnlySpan<char> text, int start, int characterEnd)
        {
            bool single = false;
            for (int node = 0, end = start; end < text.Length && model._children.TryGetValue(Key(node, text[end]), out node);)
            {
                end++;
                if (model._pieceAt[node] is not (>= 0 and int id)) continue;
                Offer(start, end, id, model._scores[id]);
                single |= end == characterEnd;
            }

            return single;
        }

        private void Offer(int start, int end, int token, double score)
        {
            double sum = model._options.AsSentencePiece ? (float)(_sums[start] + score) : _sums[start] + score;
            if (_starts[end] >= 0 && !(sum > _sums[end])) return;
            _sums[end] = sum;
            _starts[end] = start;
            _tokens[end] = token;
        }

        /// <summary>Follows the best path back from the end, and adds its tokens in the order of the text.</summary>
        private void Collect(ReadOnlySpan<char> text, List<int> output)
        {
            int before = output.Count;
            for (int end = text.Length; end > 0;)
            {
                int start = _starts[end];
                if (!IsUnknown(_tokens[end]))
                {
                    output.Add(_tokens[end]);
                }
                else
                {
                    while (start > 0 && IsUnknown(_tokens[start])) start = _starts[start];
                    AddUnknown(text[start..end], output);
                }

                end = start;
            }

            output.Reverse(before, output.Count - before);
        }

        private bool IsUnknown(int token) => token < 0 || token == model._options.UnknownId;

        /// <summary>Adds the tokens of a run of unknown characters, the last one first.</summary>
        private void AddUnknown(ReadOnlySpan<char> run, List<int> output)
        {
            if (!model._options.AsSentencePiece && model._ids.TryGetValue(run, out int id))
            {
                output.Add(id);
                return;
            }

            byte[] bytes = Encoding.UTF8.GetBytes(run.ToArray());
            if (model._options.ByteFallback && Array.TrueForAll(bytes, value => model._byteIds[value] is not null))
            {
                for (int i = bytes.Length - 1; i >= 0; i--) output.Add(model._byteIds[bytes[i]]!.Value);
                return;
            }

            output.Add(model._options.UnknownId ?? throw new WiscaException(
                $"{model._options.Where}: no piece spells {Vocabulary.Quote(run.ToString())}, and the model has no unknown token (unk_id)",
                "the text is not one for this tokenizer"));
        }
    }
}
