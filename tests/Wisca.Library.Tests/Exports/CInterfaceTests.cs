using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Library.Tests.Exports;

/// <summary>A program in C, compiled here, uses every function of wisca.h; and once more under valgrind.</summary>
public sealed class CInterfaceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Program_InC_UsesEveryFunction() => Run(Program(), [], Arguments(1)).Output.ShouldMatch(@"^\d\d+ checks, 0 faults\n$");

    [Fact]
    public void Program_UnderValgrind_TouchesNoMemoryThatIsNotItsOwnAndLosesNone()
    {
        string program = Program();
        Require("valgrind");
        string[] lost = [.. new[] { 1, 4 }.Select(Lost)];
        lost[1].ShouldBe(lost[0], "what is lost grows with what is done: it is not the runtime's, which loses something once");

        string Lost(int rounds)
        {
            // The runtime reserves more addresses than valgrind has to give, unless the heap is bounded.
            var (output, error) = Run(
                "valgrind", [("DOTNET_GCHeapHardLimit", "0x8000000")],
                ["--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=none", program, .. Arguments(rounds)]);
            output.ShouldContain(" checks, 0 faults");
            error.ShouldContain("ERROR SUMMARY: 0 errors");
            return Regex.Match(error, "definitely lost: .*").Value;
        }
    }

    [Fact]
    public void Header_DeclaresWhatIsExported()
    {
        string header = TestRepository.ReadText("src", "Wisca.Library", "wisca.h");
        var declared = Regex.Matches(header, @"\b(wisca_\w+)\(").Select(match => match.Groups[1].Value);
        var exported =
            from type in typeof(Library.Exports.Status).Assembly.GetTypes()
            from method in type.GetMethods(
                BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            from attribute in method.GetCustomAttributes(
                typeof(UnmanagedCallersOnlyAttribute), false)
            select ((UnmanagedCallersOnlyAttribute)attribute).EntryPoint;
        string[] names = [.. exported.Select(name => name!)];
        names.Length.ShouldBeGreaterThan(20);
        declared.Distinct().ShouldBe(names, ignoreOrder: true);

        // The program in C misses none.
        string program = TestRepository.ReadText("tests", "Wisca.Library.Tests", "Exports", "wisca_test.c");
        names.Where(name => !program.Contains($"{name}(", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private string[] Arguments(int rounds) => [_folder["request"], _folder["model"], _folder["nowhere"], $"{rounds}"];

    /// <summary>The program, compiled and linked, and what it reads.</summary>
    private string Program()
    {
        string native = NativeCode.Folder;
        if (!OperatingSystem.IsLinux()) Assert.Skip("the program is built with gcc on Linux");
        Require("gcc");
        string program = _folder["program"], source = Path.Combine(AppContext.BaseDirectory, "Exports", "wisca_test.c");
        Run(
            "gcc", [],
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", native, source, "-o", program, "-L", native, "-l:libwisca.so",
            $"-Wl,-rpath,{native}", "-lm").Error.ShouldBe("");
        new SmallLlama().Write(_folder["model"]);
        File.WriteAllText(
            _folder["request"], new LooseModel().Request("""{"qk": "kv-head", "vo": "tensor"}""", """{"values": true}"""));
        return program;
    }

    private static void Require(string tool)
    {
        var paths = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!paths.Any(path => File.Exists(Path.Combine(path, tool)))) Assert.Skip($"{tool} is not installed");
    }

    private static (string Output, string Error) Run(string program, (string Name, string Value)[] environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, $"{program}: {error}{output.Result}");
        return (output.Result, error);
    }
}
