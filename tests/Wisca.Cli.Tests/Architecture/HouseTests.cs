using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Architecture;

/// <summary>What docs/architecture.md says of the house, held to the compiled assemblies and to the sources.</summary>
public sealed partial class HouseTests
{
    /// <summary>Each project and the projects that it may refer to.</summary>
    private static readonly Dictionary<string, string[]> Projects = new(StringComparer.Ordinal)
    {
        ["Wisca.Core"] = [],
        ["Wisca.Mpi"] = ["Wisca.Core"],
        ["Wisca.Settings"] = ["Wisca.Core"],
        ["Wisca.Data"] = ["Wisca.Core"],
        ["Wisca.Torch"] = ["Wisca.Core"],
        ["Wisca.Training"] = ["Wisca.Core", "Wisca.Settings", "Wisca.Data", "Wisca.Torch"],
        ["Wisca.Evaluation"] = ["Wisca.Core", "Wisca.Settings", "Wisca.Data", "Wisca.Torch"],
        ["Wisca.Comparison"] = ["Wisca.Core", "Wisca.Settings", "Wisca.Data", "Wisca.Torch", "Wisca.Training", "Wisca.Evaluation"],
        ["Wisca.Reporting"] = ["Wisca.Core", "Wisca.Comparison"],
        ["Wisca.Commands"] = ["Wisca.Core", "Wisca.Mpi"],
        ["Wisca.Native"] = ["Wisca.Core", "Wisca.Mpi", "Wisca.Commands"],
        ["Wisca.Library"] = ["Wisca.Core", "Wisca.Mpi", "Wisca.Commands"],
        ["Wisca.Cli"] = [
            "Wisca.Core", "Wisca.Mpi", "Wisca.Commands", "Wisca.Settings", "Wisca.Data", "Wisca.Torch", "Wisca.Training",
            "Wisca.Evaluation", "Wisca.Comparison", "Wisca.Reporting",
        ],
    };

    public static TheoryData<string> Names => [.. Projects.Keys];

    [Fact]
    public void Projects_AreThoseOfTheSources() =>
        Directory
            .GetDirectories(TestRepository.PathOf("src"))
            .Select(path => Path.GetFileName(path))
            .ShouldBe(Projects.Keys, ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void Namespaces_MakeNoRing(string project) => NamespaceGraph.Of(Compiled(project).Location).Rings().ShouldBeEmpty();

    [Fact]
    public void Namespaces_WithARing_AreSeen()
    {
        There.There.Length.ShouldBe(5);
        var ring = NamespaceGraph.Of(typeof(HouseTests).Assembly.Location).Rings().ShouldHaveSingleItem();
        ring.ShouldContain("Architecture -> Wisca.Cli.Tests.Architecture.There (HouseTests needs There)");
        ring.ShouldContain("Architecture.There -> Wisca.Cli.Tests.Architecture (There needs HouseTests)");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Projects_ReferDownwardsOnly(string project) =>
        Compiled(project)
            .GetReferencedAssemblies()
            .Select(reference => reference.Name!)
            .Where(name => name.StartsWith("Wisca", StringComparison.Ordinal))
            .ShouldBeSubsetOf(Projects[project]);

    [Theory]
    [MemberData(nameof(Names))]
    public void Friends_AreTestsAndBenchmarks(string project) =>
        Compiled(project)
            .GetCustomAttributes<InternalsVisibleToAttribute>()
            .Select(friend => friend.AssemblyName)
            .Where(name => !Directory.Exists(TestRepository.PathOf("tests", name)))
            .ShouldAllBe(name => Directory.Exists(TestRepository.PathOf("bench", name)));

    [Fact]
    public void TorchAlone_BringsNoReaderOfTextOrSettings() =>
        Compiled("Wisca.Torch")
            .GetReferencedAssemblies()
            .Select(reference => reference.Name!)
            .Where(name => !name.StartsWith("System", StringComparison.Ordinal) && !name.StartsWith("Microsoft", StringComparison.Ordinal))
            .ShouldBeSubsetOf(["Wisca.Core", "TorchSharp"]);

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    public void Namespaces_AreThoseOfTheFolders(string root)
    {
        string top = TestRepository.PathOf(root);
        var wrong =
            from file in Directory.EnumerateFiles(top, "*.cs", SearchOption.AllDirectories)
            let declared = Declaration().Match(File.ReadAllText(file))
            where declared.Success
            let folder = Path.GetRelativePath(top, Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '.')
            let expected = Renamed(folder)
            where declared.Groups[1].Value != expected
            select $"{file}: {declared.Groups[1].Value}, expected {expected}";
        wrong.ShouldBeEmpty();

        // Core is what all of it stands on, and the name of the product is its own.
        string Renamed(string folder) => (root, folder.Split('.')) switch
        {
            ("src", ["Wisca", "Core", .. var rest]) => string.Join('.', ["Wisca", .. rest]),
            ("tests", ["Shared", .. var rest]) => string.Join('.', ["Wisca", "Tests", .. rest]),
            _ => folder,
        };
    }

    private static Assembly Compiled(string project) => Assembly.Load(project switch
    {
        "Wisca.Cli" => "wisca",
        "Wisca.Native" => "wisca-native",
        "Wisca.Library" => "libwisca",
        _ => project,
    });

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
