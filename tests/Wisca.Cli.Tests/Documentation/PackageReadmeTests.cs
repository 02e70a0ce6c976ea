namespace Wisca.Tests.Documentation;

/// <summary>What packages say about themselves: their code is that of samples, which are built and run against the packages.</summary>
public sealed class PackageReadmeTests
{
    public static TheoryData<string> Readmes =>
        [.. Directory.EnumerateDirectories(TestRepository.PathOf("src")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Readmes))]
    public void Readme_Code_IsThatOfASample(string project)
    {
        string[] samples =
        [
            .. Directory
                .EnumerateFiles(TestRepository.PathOf("samples"), "Program.cs", SearchOption.AllDirectories)
                .Select(file => File.ReadAllText(file).ReplaceLineEndings("\n")),
        ];
        string[] code = CodeOf(project);
        if (project != "Wisca.Cli") code.ShouldNotBeEmpty($"src/{project}/README.md shows no code");
        foreach (string block in code)
        {
            var parts = block
                .Trim('\n')
                .Split("\n\n")
                .SelectMany(part => part.StartsWith("using Wisca.", StringComparison.Ordinal) ? part.Split('\n') : [part])
                .ToList();
            samples.Any(sample => parts.All(part => $"\n{sample}".Contains($"\n{part}\n", StringComparison.Ordinal)))
                .ShouldBeTrue($"no sample has the code of src/{project}/README.md:\n{block}");
            block.Trim().Split('\n').Length.ShouldBeLessThanOrEqualTo(25);
        }
    }

    [Theory]
    [MemberData(nameof(Readmes))]
    public void Readme_Links_AreMadeAbsoluteWhenPacked(string project)
    {
        // eng/Packaging.targets knows this form of a link into the repository, and no other.
        foreach (string target in MarkdownLinks.Of(TestRepository.ReadText("src", project, "README.md")))
        {
            if (!target.StartsWith("https://", StringComparison.Ordinal))
                target.ShouldStartWith("../../", customMessage: $"src/{project}/README.md");
        }
    }

    private static string[] CodeOf(string project) =>
    [
        .. TestRepository
            .ReadText("src", project, "README.md")
            .ReplaceLineEndings("\n")
            .Split("```csharp\n")
            .Skip(1)
            .Select(rest => rest.Split("```")[0]),
    ];
}
