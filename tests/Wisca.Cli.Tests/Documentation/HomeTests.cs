using System.Text.RegularExpressions;
using System.Xml.Linq;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>What files outside the build say of the project is what the build says.</summary>
public sealed partial class HomeTests
{
    [Theory]
    [InlineData("README.md", 1)]
    [InlineData("CITATION.cff", 1)]
    [InlineData("SECURITY.md", 1)]
    [InlineData("CODE_OF_CONDUCT.md", 1)]
    [InlineData(".github/ISSUE_TEMPLATE/config.yml", 1)]
    public void File_NamesTheRepository_AsPackagesDo(string file, int times)
    {
        string[] named = [.. Home().Matches(TestRepository.ReadText(file)).Select(match => match.Value)];
        named.Length.ShouldBe(times);
        named.ShouldAllBe(home => home == Property("eng/Packaging.props", "RepositoryUrl"));
    }

    [Fact]
    public void Versions_OfCitationAndSamples_AreTheBuilds()
    {
        string version = Property("Directory.Build.props", "VersionPrefix");
        TestRepository.ReadText("CITATION.cff").ReplaceLineEndings("\n").ShouldContain($"\nversion: {version}\n");
        var libtorch = Property("src/Wisca.Torch/buildTransitive/Wisca.Torch.props", "WiscaLibtorchVersion");
        var references = Directory
            .EnumerateFiles(TestRepository.PathOf("samples"), "*.csproj", SearchOption.AllDirectories)
            .SelectMany(file => XDocument.Load(file).Descendants("PackageReference"))
            .ToList();
        references.ShouldNotBeEmpty();
        foreach (var reference in references)
        {
            bool ours = reference.Attribute("Include")!.Value.StartsWith("Wisca.", StringComparison.Ordinal);
            reference.Attribute("Version")!.Value.ShouldBe(ours ? version : libtorch);
        }
    }

    [Theory]
    [InlineData("docs/dotnet.md")]
    [InlineData("src/Wisca.Torch/README.md")]
    [InlineData("src/Wisca.Training/README.md")]
    [InlineData("src/Wisca.Evaluation/README.md")]
    [InlineData("src/Wisca.Comparison/README.md")]
    public void Document_VersionOfLibtorch_IsThatOfThePackages(string document)
    {
        var versions = Libtorch().Matches(TestRepository.ReadText(document));
        versions.ShouldNotBeEmpty();
        versions.Select(match => match.Groups[1].Value).ShouldAllBe(version =>
            version == Property("src/Wisca.Torch/buildTransitive/Wisca.Torch.props", "WiscaLibtorchVersion"));
    }

    private static string Property(string file, string name) =>
        XDocument.Load(TestRepository.PathOf(file)).Descendants(name).Single().Value;

    [GeneratedRegex("libtorch-cpu-[^ ]+ (?:--version |Version=\")([0-9.]+)")]
    private static partial Regex Libtorch();

    [GeneratedRegex(@"https://github\.com/wisca/[a-z]+")]
    private static partial Regex Home();
}
