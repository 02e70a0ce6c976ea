using System.Runtime.InteropServices;
using Wisca.Commands.CommandLine;

namespace Wisca.Library.Exports;

/// <summary>The library itself: <c>wisca_abi</c>, <c>wisca_version</c>, <c>wisca_free</c>.</summary>
internal static unsafe class LibraryExports
{
    // Major and minor: a program built for 1.n works with 1.m where m is not less.
    private const uint Abi = (1 << 16) | 0;

    private static readonly nint Version = (nint)Text.Give(ProductVersion.Text);

    [UnmanagedCallersOnly(EntryPoint = "wisca_abi")]
    public static uint Number() => Abi;

    [UnmanagedCallersOnly(EntryPoint = "wisca_version")]
    public static byte* Name() => (byte*)Version;

    [UnmanagedCallersOnly(EntryPoint = "wisca_free")]
    public static void Free(void* memory) => NativeMemory.Free(memory);
}
