using System.Diagnostics;
using System.Net.Sockets;
using Wisca.Checkpoints;
using Wisca.Files;
using Wisca.Rescaling;
using Wisca.Tests;

namespace Wisca.Core.Tests.Files;

/// <summary>What is no file of bytes: opening a pipe without a writer waits without end, and copying a device has none.</summary>
public sealed class SpecialFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Rescale_PipeSocketAndDeviceBesideTheModel_StayBehind()
    {
        if (OperatingSystem.IsWindows()) return;
        new SmallLlama { Layers = 1 }.Write(_folder["m"]);
        MakePipe(_folder["m", "pipe"]);
        MakePipe(_folder["m", "optimizer.pt"]);
        MakePipe(_folder["m", "value_head.safetensors"]);
        Directory.CreateDirectory(_folder["m", "2_Dense"]);
        MakePipe(_folder["m", "2_Dense", "config.json"]);
        File.WriteAllText(_folder["m", "2_Dense", "note.txt"], "kept");
        File.WriteAllText(_folder["m", "empty.txt"], "");
        File.CreateSymbolicLink(_folder["m", "link"], _folder["m", "pipe"]);
        File.CreateSymbolicLink(_folder["m", "zero"], "/dev/zero");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_folder["m", "s"]));
        var sideFiles = await WithinTime(() =>
        {
            using var model = Checkpoint.Open(_folder["m"]);
            return Rescaler.Rescale(model, _folder["out"], new RescaleOptions()).SideFiles;
        });
        sideFiles.LeftOut.Select(entry => entry.Path)
            .ShouldBe(["2_Dense/config.json", "link", "optimizer.pt", "pipe", "s", "value_head.safetensors", "zero"], ignoreOrder: true);
        sideFiles.LeftOut.ShouldAllBe(entry => entry.Reason == "a pipe, a socket or a device, no file");
        sideFiles.Copied.ShouldBe(["2_Dense/note.txt", "config.json", "empty.txt"], ignoreOrder: true);
        File.ReadAllText(_folder["out", "2_Dense", "note.txt"]).ShouldBe("kept");
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("wisca.json")]
    public async Task Open_PipeInThePlaceOfAFile_IsNamed(string name)
    {
        if (OperatingSystem.IsWindows()) return;
        new SmallLlama { Layers = 1 }.Write(_folder["m"]);
        File.Delete(_folder["m", name]);
        if (name == Checkpoint.IndexName) File.Delete(_folder["m", Checkpoint.WeightsName]);
        MakePipe(_folder["m", name]);
        var error = await WithinTime(() => Should.Throw<WiscaException>(() =>
        {
            using var model = Checkpoint.Open(_folder["m"]);
            Ledger.Load(_folder["m"]);
        }));
        error.Message.ShouldBe($"{_folder["m", name]} cannot be read: it is a pipe or a device, expected a plain file");
    }

    [Fact]
    public async Task TextFile_Pipe_IsNamed()
    {
        if (OperatingSystem.IsWindows()) return;
        MakePipe(_folder["text"]);
        (await WithinTime(() => Should.Throw<WiscaException>(() => TextFile.Read(_folder["text"], "hint"))))
            .Message.ShouldContain("a pipe or a device");
    }

    [Fact]
    public void Check_FileEmptyFileMissingFileAndLink_Passes()
    {
        File.WriteAllText(_folder["a"], "abc");
        File.WriteAllText(_folder["b"], "");
        File.CreateSymbolicLink(_folder["link"], _folder["a"]);
        foreach (string name in (string[])["a", "b", "none", "link"]) PlainFile.Check(_folder[name]);
        if (OperatingSystem.IsWindows()) return;
        Should.Throw<IOException>(() => PlainFile.Check("/dev/zero"));
    }

    /// <summary>A call that hangs in the kernel cannot be cancelled: it is left behind.</summary>
    private static async Task<T> WithinTime<T>(Func<T> call) =>
        await Task.Run(call, TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

    private static void MakePipe(string path)
    {
        using var process = Process.Start("mkfifo", [path]);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
    }
}
