namespace Wisca.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class DemoVerbTests
{
    [Fact]
    public async Task Demo_AsANewcomerRunsIt_BalancesProvesAndUndoes()
    {
        var run = await CommandRun.RunAsync("demo");
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("forward proof  equivalent on 256 random tokens");
        run.Output.ShouldContain("forward proof  bit-identical on 256 random tokens");
        run.Output.ShouldContain("the same, byte for byte");
    }

    [Fact]
    public async Task Demo_KeepInAFolderThatExists_Fails()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("demo", "--keep", folder.FullPath)).ShouldFail("exists");
    }
}
