using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;
using Wisca.Tests;

namespace Wisca.Library.Tests.Sessions;

public sealed class CommandSessionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CommandSessionTests() => new SmallLlama().Write(_folder["model"]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Folder_IsRescaledVerifiedAndUndone()
    {
        JsonNode.Parse(Run("rescale", _folder["model"], "--out", _folder["out"], "--round", "pow2", "--json").Output)!["output"]
            .ShouldNotBeNull();
        var verified = Run("verify", _folder["model"], _folder["out"], "--json");
        verified.ExitCode.ShouldBe(0);
        JsonNode.Parse(verified.Output)!["equivalent"]!.GetValue<bool>().ShouldBeTrue();
        Run("undo", _folder["out"], "--out", _folder["back"]).ExitCode.ShouldBe(0);
        File.ReadAllBytes(Path.Combine(_folder["back"], TestCheckpoint.Weights))
            .ShouldBe(File.ReadAllBytes(Path.Combine(_folder["model"], TestCheckpoint.Weights)));
    }

    [Fact]
    public void Check_ThatSaysNo_IsNoError()
    {
        new SmallLlama { Seed = 2 }.Write(_folder["other"]);
        var run = Run("verify", _folder["model"], _folder["other"], "--json");
        run.ExitCode.ShouldBe(1);
        run.Error.ShouldBeNull();
        JsonNode.Parse(run.Output)!["equivalent"]!.GetValue<bool>().ShouldBeFalse();
    }

    [Fact]
    public void Failure_IsToldInWordsAndParts()
    {
        var run = Run("inspect", _folder["nowhere"]);
        run.ExitCode.ShouldBe(1);
        run.Output.ShouldBeEmpty();
        run.Messages.ShouldBe($"wisca: {run.Error!.Message}\nhint: {run.Error.Hint}\n");
        run.Error.Message.ShouldBe($"{_folder["nowhere"]} does not exist");
        Run("rescale").ExitCode.ShouldBe(2);
        Run("rescale").Error!.Message.ShouldContain("MODEL");
    }

    [Fact]
    public void Cancelled_NothingIsLeft()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Should.Throw<OperationCanceledException>(
            () => CommandSession.Run(Words("rescale", _folder["model"], "--out", _folder["out"]), cancelled.Token));
        Directory.GetFileSystemEntries(_folder.FullPath).ShouldBe([_folder["model"]]);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("[null]")]
    public void Arguments_ThatAreNoWords_AreRefused(string arguments) =>
        Should.Throw<RequestException>(() => CommandSession.Run(arguments, CancellationToken.None));

    private static (int ExitCode, string Output, string Messages, ErrorDescription? Error) Run(params string[] words) =>
        CommandSession.Run(Words(words), CancellationToken.None);

    private static string Words(params string[] words) => JsonSerializer.Serialize(words);
}
