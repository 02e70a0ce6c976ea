using System.Text;
using Wisca.Data.Tokenizers.PreTokenizers;

namespace Wisca.Data.Tokenizers.Decoding;

/// <summary>Turns GPT-2's spelling of bytes back into text. A token that is not spelled so (an added one) is text already.</summary>
internal sealed class ByteLevelDecoder : IDecoder
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Apply(IReadOnlyList<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            int before = bytes.Count;
            foreach (char letter in token)
            {
                if (ByteLevelAlphabet.TryGetByte(letter, out byte value))
                {
                    bytes.Add(value);
                    continue;
                }

                bytes.RemoveRange(before, bytes.Count - before);
                bytes.AddRange(Encoding.UTF8.GetBytes(token));
                break;
            }
        }

        return [Encoding.UTF8.GetString([.. bytes])];
    }
}
