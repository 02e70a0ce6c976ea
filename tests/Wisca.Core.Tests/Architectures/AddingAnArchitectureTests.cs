using System.Text;
using System.Text.RegularExpressions;
using Wisca.Architectures;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures;

/// <summary>The page on adding an architecture says what the code does.</summary>
public sealed partial class AddingAnArchitectureTests
{
    private static readonly Type[] Parts =
    [
        typeof(ArchitectureTable), typeof(ConfigTable), typeof(NumberTable), typeof(AttentionTable), typeof(FusedTable), typeof(RopeTable),
            typeof(FactorTable), typeof(RopeLayersTable),
        typeof(RefusalTable), typeof(ConditionTable),
    ];

    [Fact]
    public void Page_Example_IsAValidTable()
    {
        string json = Example().Match(Page()).Groups[1].Value;
        ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json), "page.json").Name.ShouldBe("my_family");
    }

    [Fact]
    public void Page_EveryField_IsExplained()
    {
        string page = Example().Replace(Page(), "");
        foreach (var part in Parts)
        {
            foreach (var property in ArchitectureJson.Default.GetTypeInfo(part)!.Properties)
                page.ShouldContain($"`{property.Name}`", customMessage: $"{part.Name}.{property.Name}");
        }
    }

    private static string Page() => TestRepository.ReadText("docs", "adding-an-architecture.md");

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
