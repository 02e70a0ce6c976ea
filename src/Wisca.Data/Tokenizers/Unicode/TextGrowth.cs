namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>
/// A bound on what normalizers may make of a text: real ones make a few characters of one, but forty replacements of a letter by two make a
/// terabyte of it.
/// </summary>
internal static class TextGrowth
{
    private const int Factor = 256;
    private const int Always = 1 << 20;

    /// <summary>Refuses a text that has grown beyond all reason.</summary>
    /// <param name="before">Its length as it was given.</param>
    /// <param name="after">Its length as it is, or would be.</param>
    /// <param name="where">The file and the key, for the error message.</param>
    /// <exception cref="WiscaException">It has.</exception>
    public static void Check(long before, long after, string where)
    {
        if (after <= Always + (Factor * before)) return;
        throw new WiscaException(
            $"{where}: {after} characters would become of {before}, at most {Factor} times as many are expected",
            "the tokenizer's file is damaged, or was made to do harm");
    }
}
