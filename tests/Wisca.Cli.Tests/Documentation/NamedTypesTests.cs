using System.Reflection;
using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>Types and namespaces that documents for users name are there, and theirs to use.</summary>
public sealed partial class NamedTypesTests
{
    private static readonly Type[] Types =
    [
        .. Directory
            .GetFiles(AppContext.BaseDirectory, "Wisca.*.dll")
            .Where(path => !path.EndsWith("Tests.dll", StringComparison.Ordinal))
            .SelectMany(path => Assembly.LoadFrom(path).GetTypes())
            .Where(type => !type.IsNested),
    ];

    // These explain the code to who works on it, and speak of what is inside.
    private static readonly string[] OfTheInside = ["docs/architecture.md", "docs/adding-a-task.md", "CONTRIBUTING.md", "CHANGELOG.md"];

    public static TheoryData<string> Documents => [.. WrittenDocuments.Paths.Except(OfTheInside)];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Document_TypesAndNamespaces_AreThereAndPublic(string document) =>
        Wrong(TestRepository.ReadText(document)).ShouldBeEmpty(document);

    [Fact]
    public void Wrong_WhatIsInsideOrNotThere_IsFound() =>
        Wrong("`WiscaScheduler`, `TokenFileWriter` and `Wisca.Torch.Models`, `Wisca.Models` and `AdamW.Step`, `TrainingBatch<T>`")
            .ShouldBe(["TokenFileWriter", "Wisca.Models", "TrainingBatch"]);

    private static List<string> Wrong(string text) =>
    [
        .. Named().Matches(text).Select(match => match.Groups[1].Value).Where(name =>
            name.StartsWith("Wisca.", StringComparison.Ordinal) ? !Exists(name) : IsHidden(name.Split('.')[0])),
    ];

    /// <summary>A namespace, a type with its namespace, or a project or package.</summary>
    private static bool Exists(string name) =>
        Types.Any(type => type.IsPublic && (type.Namespace == name || type.FullName == name))
        || Directory.Exists(TestRepository.PathOf("src", name))
        || Directory.Exists(TestRepository.PathOf("bench", name))
        || name is "Wisca.Tool" or "Wisca.slnx";

    private static bool IsHidden(string name) =>
        Types.Where(type => type.Name.Split('`')[0] == name).ToList() is [_, ..] found && !found.Exists(type => type.IsPublic);

    [GeneratedRegex(@"`([A-Z]\w+(?:\.[A-Za-z]\w*)*)(?:<[\w, ]+>)?(?:\([^`]*\))?`")]
    private static partial Regex Named();
}
