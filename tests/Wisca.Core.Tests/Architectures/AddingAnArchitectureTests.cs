using System.Text;
using System.Text.RegularExpressions;
using Wisca.Architectures;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures;

/// <summary>The page on adding an architecture says what the code does.</summary>
public sealed partial class AddingAnArchitectureTests
{
    /// <summary>The table and every record that it is made of.</summary>
    private static IReadOnlyCollection<Type> Parts { get; } = PartsOf(typeof(ArchitectureTable), []);

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

    [Fact]
    public void Page_EveryFieldOfItsTables_IsOneOfTheSchema()
    {
        string[] known = [.. Parts.SelectMany(part => ArchitectureJson.Default.GetTypeInfo(part)!.Properties.Select(field => field.Name))];
        string[] said =
        [
            .. Row().Matches(Page()).SelectMany(row => Code().Matches(row.Groups[1].Value))
                .SelectMany(code => code.Groups[1].Value.Split('.')),
        ];
        said.ShouldContain("without_attention");
        said.ShouldContain("gated_q");
        said.Except(known).ShouldBeEmpty();
    }

    private static HashSet<Type> PartsOf(Type part, HashSet<Type> found)
    {
        if (!found.Add(part)) return found;
        foreach (var property in ArchitectureJson.Default.GetTypeInfo(part)!.Properties)
        {
            foreach (var type in (IEnumerable<Type>)[property.PropertyType, .. property.PropertyType.GetGenericArguments()])
            {
                if (type.Assembly == typeof(ArchitectureTable).Assembly && type.IsClass) PartsOf(type, found);
            }
        }

        return found;
    }

    private static string Page() => TestRepository.ReadText("docs", "adding-an-architecture.md");

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex(@"^\| (`[^|]*) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]*)`")]
    private static partial Regex Code();
}
