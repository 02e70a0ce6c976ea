using System.Security.Cryptography;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>The real process, killed at any moment of a rescaling that takes more than a second and a half.</summary>
public sealed class KillTests(ITestOutputHelper log)
{
    private const int Kills = 12;

    [Fact]
    public void Rescale_KilledAtRandomMoments_NeverLeavesAFolderThatLooksWholeButIsNot()
    {
        using var folder = new TemporaryFolder();
        string[] arguments = ["rescale", folder["model"], "--out", folder["out"], "--criterion", "spectral", "--threads", "1"];

        // The norms by singular values take long enough; more layers where the machine is fast.
        int layers = 3;
        TimeSpan whole;
        for (; ; layers = (int)Math.Ceiling(layers * Math.Max(1.2, 1.8 / whole.TotalSeconds)))
        {
            new SmallLlama { Layers = layers, Hidden = 512, Heads = 8, KvHeads = 2, HeadDim = 64, Shards = 3 }.Write(folder["model"]);
            whole = WiscaProcess.Run(arguments);
            if (whole > TimeSpan.FromSeconds(1.5)) break;
            Directory.Delete(folder["out"], recursive: true);
        }

        var reference = Contents(folder["out"]);
        Directory.Delete(folder["out"], recursive: true);
        string[] quick = ["rescale", folder["model"], "--out", folder["out"]];
        WiscaProcess.Run(quick);
        var old = Contents(folder["out"]);
        var random = new Random();
        var span = whole;
        int beforeTheRename = 0, leftovers = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            // Every other time there is an old output to be replaced.
            bool force = kill % 2 == 1;
            if (!force) Directory.Delete(folder["out"], recursive: true);
            var moment = span * random.NextDouble();
            using (var process = WiscaProcess.Start(force ? [.. arguments, "--force"] : arguments))
            {
                process.Wait(moment);
                process.Kill();
            }

            // Other work on the machine may have ended: a run that was complete at this moment was faster than the first one.
            bool complete = Directory.Exists(folder["out"]) && Contents(folder["out"]).SequenceEqual(reference);
            if (complete) span = moment;
            else beforeTheRename++;
            if (force) Directory.Exists(folder["out"]).ShouldBeTrue();
            leftovers += Leftovers(folder).Length;
            foreach (
                string config in Directory.EnumerateFiles(
                    folder.FullPath, "config.json", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }))
            {
                string looksWhole = Path.GetDirectoryName(config)!;
                if (looksWhole == folder["model"] || (force && Contents(looksWhole).SequenceEqual(old))) continue;
                Contents(looksWhole).ShouldBe(reference, $"{looksWhole}, killed after {moment.TotalSeconds:0.000} s");
            }

            // The next run, a quick one, succeeds and clears away what was left.
            WiscaProcess.Run([.. quick, "--force"]);
            Contents(folder["out"]).ShouldBe(old);
            Directory.EnumerateFileSystemEntries(folder.FullPath).Select(path => Path.GetFileName(path)).Order().ShouldBe(["model", "out"]);
        }

        log.WriteLine(
            $"{layers} layers, {whole.TotalSeconds:0.0} s a run; {Kills} kills, {beforeTheRename} before the rename, {leftovers} working "
            + "folders left and cleared");
        beforeTheRename.ShouldBeGreaterThan(Kills / 2);
        leftovers.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Rescale_Interrupted_CleansUpAndSaysSo()
    {
        if (OperatingSystem.IsWindows()) return;
        using var folder = new TemporaryFolder();
        new SmallLlama { Layers = 12, Hidden = 512, Heads = 8, KvHeads = 2, HeadDim = 64 }.Write(folder["model"]);
        using var process = WiscaProcess.Start(
            "rescale", folder["model"], "--out", folder["out"], "--criterion", "spectral", "--threads", "1");
        for (int waited = 0; Leftovers(folder).Length == 0 && waited < 10_000; waited += 10)
            process.Wait(TimeSpan.FromMilliseconds(10)).ShouldBeFalse();
        process.Interrupt();
        process.Wait(TimeSpan.FromSeconds(20)).ShouldBeTrue();
        process.ExitCode.ShouldBe(1);
        process.Output.ShouldBeEmpty();
        process.Error.Trim().ShouldBe("wisca: cancelled; no output was written");
        Directory.EnumerateFileSystemEntries(folder.FullPath).Select(path => Path.GetFileName(path)).ShouldBe(["model"]);
    }

    private static string[] Leftovers(TemporaryFolder folder) => Directory.GetDirectories(folder.FullPath, ".out.*.wisca-partial");

    private static string[] Contents(string folder) =>
        [
            .. Directory
                .EnumerateFiles(folder)
                .Order(StringComparer.Ordinal)
                .Select(path => $"{Path.GetFileName(path)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))}"),
        ];
}
