using System.Collections.Frozen;

namespace Wisca.Data.Tokenizers.PreTokenizers;

/// <summary>
/// GPT-2's spelling of bytes as printable characters: visible Latin-1 characters stand for themselves, the other bytes, in
/// order, for the characters from U+0100 on (a space is Ġ).
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] CharOfByte = MakeChars();
    private static readonly FrozenDictionary<char, byte> ByteOfChar =
        CharOfByte.Select((letter, value) => (letter, value)).ToFrozenDictionary(pair => pair.letter, pair => (byte)pair.value);

    public static char ToChar(byte value) => CharOfByte[value];

    public static bool TryGetByte(char letter, out byte value) => ByteOfChar.TryGetValue(letter, out value);

    private static char[] MakeChars()
    {
        char next = '\u0100';
        char[] letters = new char[256];
        for (int value = 0; value < 256; value++)
        {
            bool visible = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            letters[value] = visible ? (char)value : next++;
        }

        return letters;
    }
}
