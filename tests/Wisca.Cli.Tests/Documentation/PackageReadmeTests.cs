using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>What packages and the README say: their code is that of samples, which are built and run against the packages.</summary>
public sealed class PackageReadmeTests
{
    public static TheoryData<string> Readmes =>
    [
        .. Directory
            .EnumerateDirectories(TestRepository.PathOf("src"))
            .Where(path => File.Exists(Path.Combine(path, "README.md")))
            .Select(path => Path.GetFileName(path))
            .Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> Documents => ["README.md", "docs/dotnet.md", .. Readmes.Select(row => $"src/{row.Data}/README.md")];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Document_Code_IsThatOfASample(string document)
    {
        string[] samples =
        [
            .. Directory
                .EnumerateFiles(TestRepository.PathOf("samples"), "Program.cs", SearchOption.AllDirectories)
                .Select(file => File.ReadAllText(file).ReplaceLineEndings("\n")),
        ];
        string[] code =
        [
            .. TestRepository.ReadText(document).ReplaceLineEndings("\n").Split("```csharp\n").Skip(1).Select(rest => rest.Split("```")[0]),
        ];
        if (!document.Contains("Wisca.Cli", StringComparison.Ordinal)) code.ShouldNotBeEmpty($"{document} shows no code");
        foreach (string block in code)
        {
            var parts = block
                .Trim('\n')
                .Split("\n\n")
                .SelectMany(part => part.StartsWith("using Wisca.", StringComparison.Ordinal) ? part.Split('\n') : [part])
                .ToList();
            samples.Any(sample => parts.All(part => $"\n{sample}".Contains($"\n{part}\n", StringComparison.Ordinal)))
                .ShouldBeTrue($"no sample has the code of {document}:\n{block}");
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
}
