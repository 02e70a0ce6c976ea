using Spectre.Console.Testing;
using Wisca.Commands;
using Wisca.Commands.CommandLine;
using Wisca.Commands.Verbs;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

/// <summary>A program without libtorch shows the same help, completes the same words, and says where the rest is.</summary>
public sealed class ElsewhereTests
{
    private static readonly string File = TestRepository.PathOf("src", "Wisca.Commands", "Verbs", "elsewhere.json");

    private static readonly string[] Names = [.. Elsewhere.Verbs().Select(verb => verb.Name)];

    public static TheoryData<string> Verbs => [.. Names];

    [Fact]
    public void File_IsWhatTheProgramWithLibtorchHas()
    {
        using var console = new TestConsole();
        using var output = new StringWriter();
        var context = new CommandContext(console, console, output);
        var core = new CommandLineProgram(null, _ => []).Root(context).Subcommands.Select(verb => verb.Name).ToHashSet();
        var others = WiscaApplication.Program.Root(context).Subcommands.Where(verb => !core.Contains(verb.Name));
        string made = Elsewhere.Describe(others) + "\n";
        if (Environment.GetEnvironmentVariable("WISCA_WRITE_GOLDEN") == "1") System.IO.File.WriteAllText(File, made);
        System.IO.File.ReadAllText(File).ShouldBe(made, "WISCA_WRITE_GOLDEN=1 writes it");
    }

    [Fact]
    public void Names_AreThoseThatNeedMore() => Names.ShouldBe(
        [
            "tokenize", "doctor", "generate", "eval", "make-tasks", "flatness", "train", "finetune", "compare", "compare-worker", "report",
            "demo",
        ],
        ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Help_IsThatOfTheProgramWithLibtorch(string verb) => await SameAsync(verb, "--help");

    [Theory]
    [InlineData("--help")]
    [InlineData("completion", "bash")]
    [InlineData("completion", "zsh")]
    [InlineData("completion", "fish")]
    [InlineData("completion", "pwsh")]
    [InlineData("rescale")]
    [InlineData("nonsense")]
    public async Task Output_IsThatOfTheProgramWithLibtorch(params string[] arguments) => await SameAsync(arguments);

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Verb_IsRefusedInOneLine(string verb)
    {
        (await WithoutLibtorchAsync(verb)).ShouldFail($"wisca {verb} needs libtorch, which this build of wisca is without");
        (await WithoutLibtorchAsync(verb, "--nonsense", "x")).ShouldFail("needs libtorch");
    }

    [Theory]
    [InlineData("verify", "A", "B", "--text", "x")]
    [InlineData("verify", "A", "B", "--tokens", "5")]
    public async Task Comparison_OfLogits_IsRefusedBeforeAnythingIsRead(params string[] arguments) =>
        (await WithoutLibtorchAsync(arguments)).ShouldFail($"verify {arguments[3]} needs libtorch");

    private static async Task SameAsync(params string[] arguments) =>
        (await WithoutLibtorchAsync(arguments)).ShouldBe(await CommandRun.InProcessAsync(arguments));

    private static Task<CommandRun> WithoutLibtorchAsync(params string[] arguments) =>
        CommandRun.InProcessAsync(new CommandLineProgram(), 200, arguments);
}
