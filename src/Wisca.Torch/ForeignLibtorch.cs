using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorchSharp;

namespace Wisca.Torch;

/// <summary>
/// A libtorch that an installed PyTorch brought along, in place of the one beside the program. The loader knows a library by its name once
/// it is loaded: what is loaded from here first is what TorchSharp's own library then stands on.
/// </summary>
internal static partial class ForeignLibtorch
{
    /// <summary>The version that TorchSharp was built against; other ones have other symbols.</summary>
    internal const string Version = "2.10";

    // What each needs comes before it; those of CUDA are there in a build that has it.
    private static readonly string[] Libraries =
        ["libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda_linalg.so", "libtorch_cuda.so", "libtorch.so"];

    /// <summary>Loads the libraries of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="WiscaException">There is no libtorch in it, or one of another version.</exception>
    public static void Load(string folder)
    {
        string core = Path.Combine(folder, "libtorch_cpu.so");
        if (!File.Exists(core))
            throw new WiscaException(
                $"{TorchRuntime.LibraryVariable} is {folder}, where there is no libtorch_cpu.so",
                "name the folder of libtorch's libraries: python -c \"import torch; print(torch.__path__[0] + '/lib')\"");
        if (VersionOf(folder) is { } version && !version.StartsWith(Version + ".", StringComparison.Ordinal))
            throw new WiscaException(
                $"{TorchRuntime.LibraryVariable} is {folder}, which holds libtorch {version}, expected {Version}",
                $"install that version of PyTorch (pip install torch=={Version}.*), or unset {TorchRuntime.LibraryVariable}");
        try
        {
            foreach (string library in Libraries.Where(library => File.Exists(Path.Combine(folder, library))))
                NativeLibrary.Load(Path.Combine(folder, library));
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
        {
            throw new WiscaException(
                $"{TorchRuntime.LibraryVariable} is {folder}, which does not load: {exception.Message.Split('\n')[0].Trim()}",
                "its libraries, or those of CUDA that it needs, are incomplete", exception);
        }

        // TorchSharp looks beside the program first, and two libtorch in one process end it: it is told that all is there.
        NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null);
        foreach (string name in (string[])["nativeBackendLoaded", "nativeBackendCudaLoaded"])
        {
            var field = typeof(torch).GetField(name, BindingFlags.NonPublic | BindingFlags.Static)
                ?? throw new WiscaException(
                    $"{TorchRuntime.LibraryVariable} is set, which this version of TorchSharp does not allow", "unset it");
            field.SetValue(null, true);
        }
    }

    /// <summary>The version of a libtorch, as PyTorch's <c>version.py</c> or libtorch's <c>build-version</c> beside it say; null where
    /// neither is there.</summary>
    internal static string? VersionOf(string folder)
    {
        string root = Path.Combine(folder, "..");
        if (Path.Combine(root, "version.py") is var python && File.Exists(python))
        {
            foreach (string line in File.ReadLines(python))
            {
                if (PythonVersion().Match(line) is { Success: true } match) return match.Groups[1].Value;
            }
        }

        return Path.Combine(root, "build-version") is var plain && File.Exists(plain) ? File.ReadAllText(plain).Trim() : null;
    }

    [GeneratedRegex(@"^__version__\s*=\s*['""]([^'""]+)['""]")]
    private static partial Regex PythonVersion();
}
