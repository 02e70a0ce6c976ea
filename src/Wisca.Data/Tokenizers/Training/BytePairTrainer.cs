using System.Runtime.InteropServices;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.PreTokenizers;

namespace Wisca.Data.Tokenizers.Training;

/// <summary>
/// Trains byte-level BPE tokenizers in the manner of GPT-2: text is split into words by GPT-2's pattern, words are spelled in bytes, and
/// the pair of neighbours that occurs most often becomes a token, over and over (Sennrich, Haddow and Birch, arXiv 1508.07909).
/// </summary>
/// <remarks>
/// The merges are those of Hugging Face's <c>BpeTrainer</c> with the full byte alphabet: of equally frequent pairs, the one of the older
/// left token comes first, then that of the older right one, where single bytes are ordered as their printable characters. The ids are
/// ours: bytes are their own values, special tokens follow from 256 on, then what the merges make.
/// </remarks>
public static class BytePairTrainer
{
    private const int Bytes = 256;
    private const string SizeHint = "ask for a larger vocabulary; 257 is a plain byte tokenizer";

    /// <summary>Trains a tokenizer. The same documents in any order, on any number of threads, give the same one.</summary>
    /// <param name="documents">The texts, read once, one at a time; special tokens that are written out in them are left out.</param>
    /// <param name="options">What to make; null for the defaults.</param>
    /// <param name="cancellation">Stops the training.</param>
    /// <returns>The tokenizer; it is smaller than asked for where the corpus has no more pairs of
    /// <see cref="BytePairTrainingOptions.MinFrequency"/>.</returns>
    /// <exception cref="WiscaException">The options contradict each other, or there is no document.</exception>
    public static TrainedTokenizer Train(
        IEnumerable<string> documents, BytePairTrainingOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(documents);
        options ??= new BytePairTrainingOptions();
        string[] specials = Check(options);
        var (words, count) = WordCounter.Count(documents, specials, options, cancellation);
        if (count == 0) throw new WiscaException("there is no document to train a tokenizer on", "name a corpus that holds text");
        return Learn(words, count, specials, options, cancellation);
    }

    private static string[] Check(BytePairTrainingOptions options)
    {
        string[] specials = options.AllSpecialTokens();
        if (specials.Contains(""))
            throw new WiscaException("a special token is empty", $"name it, as in {BytePairTrainingOptions.EndOfText}");
        if (specials.FirstOrDefault(token => token.Length == 1 && ByteLevelAlphabet.TryGetByte(token[0], out _)) is { } taken)
            throw new WiscaException(
                $"the special token '{taken}' is also the name of a byte",
                $"choose a longer one, as {BytePairTrainingOptions.EndOfText}");
        int least = Bytes + specials.Length;
        if (options.VocabularySize < least)
        {
            string message =
                $"a vocabulary of {options.VocabularySize} tokens is too small: expected at least {least}, for 256 bytes and "
                + $"{specials.Length} special tokens";
            throw new WiscaException(message, SizeHint);
        }

        if (options.VocabularySize > Vocabulary.MaxId + 1)
            throw new WiscaException(
                $"a vocabulary of {options.VocabularySize} tokens is too large: expected at most {Vocabulary.MaxId + 1}",
                "ask for a smaller vocabulary");
        if (options.MinFrequency < 1)
            throw new WiscaException($"the minimal frequency of a pair is {options.MinFrequency}, expected 1 or more", "the default is 2");
        if (options.Threads < 0)
            throw new WiscaException(
                $"the number of threads is {options.Threads}, expected 0 (all processors) or more",
                "the default is 0");
        if (options.ModelMaxLength is < 1)
            throw new WiscaException(
                $"the longest text is {options.ModelMaxLength} tokens, expected 1 or more",
                "leave it out for no limit");
        return specials;
    }

    private static TrainedTokenizer Learn(
        IReadOnlyDictionary<string, long> counts, long documents, string[] specials, BytePairTrainingOptions options,
        CancellationToken cancellation)
    {
        // In training, ids are ages: bytes in the order of their characters, then merges. Ties are decided by them.
        var names = Enumerable
            .Range(0, Bytes)
            .Select(value => ByteLevelAlphabet.ToChar((byte)value).ToString())
            .Order(StringComparer.Ordinal)
            .ToList();
        var ids = names.Select((name, id) => (name, id)).ToDictionary(pair => pair.name, pair => pair.id, StringComparer.Ordinal);
        var merges = new List<(int Left, int Right)>();
        var forbidden = specials.ToHashSet(StringComparer.Ordinal);
        var pairs = new PairCounts(
            counts.Select(word => (Array.ConvertAll(word.Key.ToCharArray(), letter => ids[letter.ToString()]), word.Value)));
        while (names.Count + specials.Length < options.VocabularySize && pairs.TryTake(options.MinFrequency, out int left, out int right))
        {
            cancellation.ThrowIfCancellationRequested();
            string name = names[left] + names[right];
            if (forbidden.Contains(name)) continue; // text must never become a special token by merging

            // Two ways of merging may lead to one token (ab+c and a+bc); it keeps its id.
            ref int id = ref CollectionsMarshal.GetValueRefOrAddDefault(ids, name, out bool known);
            if (!known)
            {
                id = names.Count;
                names.Add(name);
            }

            merges.Add((left, right));
            pairs.Merge(left, right, id);
            if (merges.Count % 100 == 0) options.Progress?.Report(new BytePairTrainingProgress(documents, names.Count + specials.Length));
        }

        options.Progress?.Report(new BytePairTrainingProgress(documents, names.Count + specials.Length));
        return new TrainedTokenizer(
            names[Bytes..],
            [.. merges.Select(merge => (names[merge.Left], names[merge.Right]))],
            specials,
            options);
    }
}
