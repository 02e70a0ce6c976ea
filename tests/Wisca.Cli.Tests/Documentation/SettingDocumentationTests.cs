using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Wisca.Settings;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>A setting is described twice, for who writes YAML and for who writes C#: in the same words.</summary>
public sealed partial class SettingDocumentationTests
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    [Theory]
    [InlineData("Wisca.Training")]
    [InlineData("Wisca.Evaluation")]
    [InlineData("Wisca.Comparison")]
    public void Summary_OfASetting_IsItsDocumentation(string project)
    {
        var assembly = Assembly.Load(project);
        var members = XDocument
            .Load(Path.ChangeExtension(assembly.Location, ".xml"))
            .Descendants("member")
            .ToDictionary(member => member.Attribute("name")!.Value, StringComparer.Ordinal);
        var settings = assembly
            .GetExportedTypes()
            .SelectMany(type => type.GetProperties(Declared))
            .Where(property => Attribute.IsDefined(property, typeof(SettingAttribute), inherit: true))
            .Select(property => (Name: $"P:{property.DeclaringType!.FullName!.Replace('+', '.')}.{property.Name}", Property: property))
            .ToList();

        settings.ShouldNotBeEmpty();
        settings
            .Select(setting => (setting.Name, Written: Written(setting.Name), Meant: Meant(setting.Property)))
            .Where(setting => setting.Written != setting.Meant)
            .ShouldBeEmpty();

        string Written(string name) =>
            !members.TryGetValue(name, out var member) ? "nothing"
            : member.Element("summary") is { } summary ? Space().Replace(summary.Value, " ").Trim()
            : member.Element("inheritdoc") is not null ? "as inherited"
            : "no summary";

        // An override that declares the setting anew says what is its own; one that does not has all from the record below.
        static string Meant(PropertyInfo property) =>
            property.GetCustomAttribute<SettingAttribute>(inherit: false)?.Documentation ?? "as inherited";
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
