using Wisca.Cli.Tests.Training;
using Wisca.Tests;
using Wisca.Training.Checkpointing;

namespace Wisca.Cli.Tests.Ranks;

/// <summary>Runs that mpirun starts, with the MPI libraries of this machine.</summary>
public sealed class MpiTests : IDisposable
{
    private const string OpenMpi = "/usr/bin/mpirun.openmpi", Mpich = "/usr/bin/mpirun.mpich";

    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(OpenMpi)]
    [InlineData(Mpich)]
    public void Train_TwoRanks_HaveTheLossesOfOneAndTheSameBitsAgain(string mpirun)
    {
        string config = Write("");
        WiscaProcess.Run("train", "--config", config);
        double[] alone = Losses(_folder["run"]);
        string[] first = RunRanks(mpirun, "first"), again = RunRanks(mpirun, "again", "distributed.shard_optimizer=true");
        again.ShouldBe(first);
        double[] together = Losses(_folder["first"]);
        alone.Length.ShouldBe(12);
        together.Length.ShouldBe(alone.Length);
        foreach (var (loss, expected) in together.Zip(alone)) loss.ShouldBe(expected, 1e-6 * expected);

        string[] RunRanks(string program, string output, params string[] settings)
        {
            using var process = Start(program, 2, ["train", "--config", config, "--set", $"output={_folder[output]}", .. settings]);
            Await(process);
            process.ExitCode.ShouldBe(0, process.Error);
            return TinyRun.Contents(RunFolder.FindLatest(_folder[output])!);
        }
    }

    [Theory]
    [InlineData(OpenMpi)]
    [InlineData(Mpich)]
    public void Train_BadConfiguration_EndsAllWithOneLine(string mpirun)
    {
        using var process = Start(mpirun, 2, "train", "--config", Write(""), "--set", "batch_size=1");
        Await(process);
        process.ExitCode.ShouldNotBe(0);
        (process.Error + process.Output).Split('\n').Where(line => line.Contains("wisca: ", StringComparison.Ordinal))
            .ShouldHaveSingleItem()
            .ShouldContain("wisca: batch_size is 1, but there are 2 ranks: each has a share of every batch");
    }

    /// <summary>Only one of the ranks cannot go on: it says so, and the others do not wait for it.</summary>
    [Fact]
    public void Train_OneRankFails_EndsAllWithItsLine()
    {
        string config = Write("");
        using var process = Start(
            OpenMpi, 2, "/bin/sh", "-c",
            $"[ $OMPI_COMM_WORLD_RANK = 0 ] || broken='--set optimizer.learning_rate=x'; exec '{WiscaProcess.Executable}' train "
            + $"--config '{config}' $broken");
        Await(process);
        process.ExitCode.ShouldNotBe(0);
        (process.Error + process.Output).Split('\n').Where(line => line.Contains("wisca: ", StringComparison.Ordinal))
            .ShouldHaveSingleItem()
            .ShouldContain("wisca: rank 1 of 2: --set optimizer.learning_rate=x: optimizer.learning_rate: 'x', expected a number above 0");
    }

    public void Dispose() => _folder.Dispose();

    private string Write(string further, int steps = 12) =>
        TinyRun.Write(_folder, steps, further: "wisca: {every: 5, round: none}\n" + further);

    private static double[] Losses(string run) =>
    [
        .. TinyRun.Metrics(run)
            .Select(line => System.Text.Json.Nodes.JsonNode.Parse(line)!["train/loss"])
            .Where(loss => loss is not null)
            .Select(loss => (double)loss!),
    ];

    private static void Await(WiscaProcess process) => process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue("the ranks hang");

    private static WiscaProcess Start(string mpirun, int ranks, params string[] command)
    {
        Assert.SkipUnless(File.Exists(mpirun), $"there is no {mpirun}: eng/install-test-tools installs it");
        string[] program = command[0].StartsWith('/') ? command : [WiscaProcess.Executable, .. command];
        return WiscaProcess.StartProgram(
            mpirun,
            mpirun == OpenMpi
                ? ["--allow-run-as-root", "--oversubscribe", "-n", $"{ranks}", .. program]
                : ["-n", $"{ranks}", .. program]);
    }
}
