using System.Runtime.InteropServices;
using Wisca.Library.Documents;

namespace Wisca.Library.Exports;

/// <summary>Objects over the border.</summary>
internal static class Handle
{
    /// <summary>A handle for the caller, who frees it.</summary>
    public static nint Give(object value) => GCHandle.ToIntPtr(GCHandle.Alloc(value));

    /// <summary>What a handle stands for.</summary>
    /// <exception cref="RequestException">It is null or stands for something else.</exception>
    public static T Take<T>(nint handle, string what)
        where T : class =>
        handle == 0 ? throw new RequestException($"{what} is a null pointer")
        : GCHandle.FromIntPtr(handle).Target as T ?? throw new RequestException($"{what} is a handle of another kind");

    /// <summary>Frees a handle; null is none.</summary>
    public static void Free(nint handle)
    {
        if (handle == 0) return;
        var own = GCHandle.FromIntPtr(handle);
        (own.Target as IDisposable)?.Dispose();
        own.Free();
    }
}
