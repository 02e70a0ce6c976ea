using System.Runtime.InteropServices;
using TorchSharp;

namespace Wisca.Torch;

/// <summary>
/// The native libtorch behind TorchSharp. Everything here that uses TorchSharp asks it first: TorchSharp's own way to fail is a page of
/// trace and several hundred megabytes of copied libraries beside the program.
/// </summary>
public static partial class TorchRuntime
{
    private static readonly Lazy<WiscaException?> LoadFailure = new(Load);

    /// <summary>Version of the TorchSharp library.</summary>
    public static string TorchSharpVersion => typeof(torch).Assembly.GetName().Version!.ToString(3);

    /// <summary>Version of the libtorch package that TorchSharp was built against.</summary>
    /// <exception cref="WiscaException">libtorch does not load.</exception>
    public static string LibtorchVersion
    {
        get
        {
            Require();
            return torch.__version__;
        }
    }

    /// <summary>Number of threads an operator runs on, process-wide. Results depend on it in their last bits.</summary>
    /// <exception cref="WiscaException">libtorch does not load.</exception>
    public static int Threads
    {
        get
        {
            Require();
            return torch.get_num_threads();
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            Require();
            torch.set_num_threads(value);
        }
    }

    /// <summary>
    /// True where products of bfloat16 matrices are faster than those of float32: with AMX, or with AVX-512 where one product of each says
    /// so, timed once a process. Where it is false, models multiply the rounded operands in float32 instead. <c>WISCA_BFLOAT16</c> in the
    /// environment, <c>native</c> or <c>float32</c>, decides instead. On other processors than x86 it is taken to be so.
    /// </summary>
    /// <exception cref="WiscaException">libtorch does not load, or the variable is neither of the two.</exception>
    public static bool FastBFloat16
    {
        get
        {
            Require();
            return BFloat16Products.Here.AreNative;
        }
    }

    /// <summary>How products of bfloat16 are computed on the CPU, and why, in a line for a log.</summary>
    /// <exception cref="WiscaException">As <see cref="FastBFloat16"/>.</exception>
    public static string BFloat16Description =>
        $"products of bfloat16 are {(FastBFloat16 ? "native" : "in float32, of rounded operands")} ({BFloat16Products.Here.Reason})";

    /// <summary>Why libtorch does not load, with what to do about it as the hint; null where it loads. Tried once per process.</summary>
    public static WiscaException? Failure => LoadFailure.Value;

    /// <summary>Loads libtorch.</summary>
    /// <exception cref="WiscaException">It does not load; see <see cref="Failure"/>.</exception>
    public static void Require()
    {
        if (Failure is { } failure) throw new WiscaException(failure.Message, failure.Hint, failure.InnerException);
    }

    /// <summary>Loads by the names, the assembly and the order that TorchSharp uses itself: if this works, so will that.</summary>
    private static WiscaException? Load()
    {
        var assembly = typeof(torch).Assembly;
        YieldWhileWaiting();
        try
        {
            NativeLibrary.TryLoad("torch_cpu", assembly, null, out _);
            NativeLibrary.Load("LibTorchSharp", assembly, null);
            return null;
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
        {
            return Explain(exception);
        }
    }

    /// <summary>
    /// Lets threads that wait for each other sleep instead of spin, unless the user decided. OpenMP reads it when it is loaded. Where
    /// another process takes a core, spinning threads wait for one that does not run: training on two cores beside other busy processes
    /// went from 870 to 2,850 tokens a second by this.
    /// </summary>
    private static void YieldWhileWaiting()
    {
        // .NET keeps an environment of its own, which native code does not see.
        if (OperatingSystem.IsLinux()) _ = SetEnvironment("OMP_WAIT_POLICY", "passive", overwrite: 0);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    /// <summary>Makes one line of the runtime's list of places it tried, of which all but one say that no file is there.</summary>
    internal static WiscaException Explain(Exception exception)
    {
        string[] lines = exception.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string? reason = lines.Skip(1).FirstOrDefault(line => !IsAbsence(line));
        if (reason is null && exception is BadImageFormatException) reason = lines[0];
        if (reason is null)
        {
            return new WiscaException(
                "libtorch does not load: there is no native library LibTorchSharp "
                + $"for {RuntimeInformation.RuntimeIdentifier} beside the program",
                "build again for this machine; a program that uses the Wisca.Torch package needs a libtorch package too, such as "
                + "libtorch-cpu-linux-x64",
                exception);
        }

        string hint = reason.Contains("GLIBCXX", StringComparison.Ordinal) || reason.Contains("GLIBC_", StringComparison.Ordinal)
            ? "the system's C++ runtime is older than TorchSharp asks for: set UsesTorchRuntime to true in the program's project and build "
                + "again, or install libstdc++ of GCC 13"
            : "the libraries beside the program are incomplete (the dotnet tool has no libtorch): run wisca from source, "
                + "or build again with the libtorch package of this machine";
        return new WiscaException($"libtorch does not load: {reason}", hint, exception);
    }

    private static bool IsAbsence(string line)
    {
        const string absent = ": cannot open shared object file: No such file or directory";
        return line.EndsWith(absent, StringComparison.Ordinal)
            && Path.GetFileName(line[..^absent.Length]).Contains("LibTorchSharp", StringComparison.Ordinal);
    }
}
