using System.Runtime.InteropServices;
using System.Text;
using Wisca.Library.Documents;

namespace Wisca.Library.Exports;

/// <summary>Strings over the border: UTF-8 that ends with a zero.</summary>
internal static unsafe class Text
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>A string for the caller, who frees it.</summary>
    public static byte* Give(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        byte* memory = (byte*)NativeMemory.Alloc((nuint)length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(memory, length));
        memory[length] = 0;
        return memory;
    }

    /// <summary>A string of the caller.</summary>
    /// <exception cref="RequestException">It is null or not UTF-8.</exception>
    public static string Take(byte* text, string what)
    {
        if (text is null) throw new RequestException($"{what} is a null pointer");
        try
        {
            return Strict.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
        }
        catch (DecoderFallbackException)
        {
            throw new RequestException($"{what} is not UTF-8");
        }
    }

    /// <summary>A string of the caller, who may leave it out.</summary>
    public static string? TakeOptional(byte* text, string what) => text is null ? null : Take(text, what);
}
