using Wisca.Tests.Torch;

namespace Wisca.Torch.Tests;

[Collection(TorchCollection.Name)]
public sealed class TorchRuntimeTests
{
    private const string First =
        "Unable to load shared library 'LibTorchSharp' or one of its dependencies. In order to help diagnose loading problems, consider "
        + "using a tool like strace.";

    private const string Absent = "/app/LibTorchSharp.so: cannot open shared object file: No such file or directory";

    [Fact]
    public void Failure_HereAndNow_IsNull()
    {
        TorchRuntime.Failure.ShouldBeNull();
        Should.NotThrow(TorchRuntime.Require);
        TorchRuntime.LibtorchVersion.ShouldStartWith("2.");
        TorchRuntime.TorchSharpVersion.ShouldBe("0.107.0");
    }

    [Fact]
    public void Threads_Set_IsWhatOperatorsUse()
    {
        int threads = TorchRuntime.Threads;
        TorchRuntime.Threads = 1;
        TorchSharp.torch.get_num_threads().ShouldBe(1);
        TorchRuntime.Threads = threads;
        Should.Throw<ArgumentOutOfRangeException>(() => TorchRuntime.Threads = 0);
    }

    [Theory]
    [InlineData(
        "/lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by "
        + "/app/runtimes/linux-x64/native/libLibTorchSharp.so)",
        "C++ runtime")]
    [InlineData("libtorch_cpu.so: cannot open shared object file: No such file or directory", "incomplete")]
    [InlineData("/app/runtimes/linux-x64/native/libLibTorchSharp.so: file too short", "incomplete")]
    public void Explain_OneCauseAmongAbsentPlaces_NamesIt(string cause, string hint)
    {
        var exception = TorchRuntime.Explain(new DllNotFoundException($"{First}\n{Absent}\n{cause}\n{Absent}\n"));
        exception.Message.ShouldBe($"libtorch does not load: {cause}");
        exception.Hint.ShouldNotBeNull().ShouldContain(hint);
    }

    [Fact]
    public void Explain_NoLibraryAnywhere_SaysWhatToBuild()
    {
        var exception = TorchRuntime.Explain(new DllNotFoundException($"{First}\n{Absent}\n{Absent}\n"));
        exception.Message.ShouldStartWith("libtorch does not load: there is no native library LibTorchSharp for ");
        exception.Hint.ShouldNotBeNull().ShouldContain("libtorch-cpu-linux-x64");
    }

    [Theory]
    [InlineData(null, false, false, 1, 9, false, "no AVX-512")]
    [InlineData(null, true, false, 1, 2, true, "timed: faster than float32")]
    [InlineData("", true, false, 2, 1, false, "timed: slower than float32")]
    [InlineData("native", false, false, 2, 1, true, "WISCA_BFLOAT16 says so")]
    [InlineData("float32", true, true, 1, 2, false, "WISCA_BFLOAT16 says so")]
    public void BFloat16Products_AreNativeWhereTheyPay(
        string? setting, bool vectors, bool tiles, double native, double plain, bool areNative, string reason) =>
        BFloat16Products.Choose(setting, vectors, tiles, () => (native, plain)).ShouldBe(new BFloat16Products(areNative, reason));

    [Fact]
    public void BFloat16Products_WithTiles_AreNativeAndNotTimed() =>
        BFloat16Products.Choose(null, true, true, () => throw new InvalidOperationException()).AreNative.ShouldBeTrue();

    [Fact]
    public void BFloat16Products_UnknownSetting_IsOneLine() =>
        Should.Throw<WiscaException>(() => BFloat16Products.Choose("fast", true, true, () => (1, 1)))
            .Message.ShouldBe("WISCA_BFLOAT16 is 'fast', expected native or float32");

    [Fact]
    public void BFloat16Description_HereAndNow_SaysWhatIsDone() => TorchRuntime.BFloat16Description.ShouldStartWith(
        TorchRuntime.FastBFloat16 ? "products of bfloat16 are native (" : "products of bfloat16 are in float32, of rounded operands (");
}
