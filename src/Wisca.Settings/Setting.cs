using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace Wisca.Settings;

/// <summary>One key of a section: its <see cref="SettingAttribute"/> together with the property's type.</summary>
public sealed class Setting
{
    private static readonly ConcurrentDictionary<Type, IReadOnlyList<Setting>> Known = new();

    private Setting(PropertyInfo property, SettingAttribute attribute)
    {
        (Property, Attribute) = (property, attribute);
        Key = attribute.Key ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);
        AllowsNone = new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable;
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        IsList = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>);
        Type = IsList ? type.GetGenericArguments()[0] : type;
    }

    /// <summary>The property that holds the value.</summary>
    public PropertyInfo Property { get; }

    /// <summary>What is said of the key.</summary>
    public SettingAttribute Attribute { get; }

    /// <summary>The key's name, without that of its section.</summary>
    public string Key { get; }

    /// <summary>The type of the value, or of each item of a list.</summary>
    public Type Type { get; }

    /// <summary>True where <c>none</c> may stand.</summary>
    public bool AllowsNone { get; }

    /// <summary>True where the value is a list.</summary>
    public bool IsList { get; }

    /// <summary>True where the value has settings of its own, and is not a list.</summary>
    public bool IsSection => !IsList && IsSectionType(Type);

    /// <summary>What may stand here, in words.</summary>
    public string Expected
    {
        get
        {
            string value = IsSectionType(Type) ? "a mapping" : Type switch
            {
                _ when Type == typeof(bool) => "true or false",
                _ when Type == typeof(int) || Type == typeof(long) => "a whole number" + Range,
                _ when Type == typeof(double) => "a number" + Range,
                _ when Type == typeof(string) => Attribute.Expected ?? "text",
                _ when Type == typeof(SettingsTree) => Attribute.Expected ?? "a mapping",
                _ when Type == typeof(FileOrMapping) => "a JSON file or a mapping",
                _ => string.Join(", ", Choices.Select(choice => choice.Name)),
            };
            if (IsList) value = $"a list{(Attribute.Count > 0 ? $" of {Attribute.Count}" : "")}, each {value}";
            else if (Type.IsEnum) value = $"one of {value}";
            return AllowsNone ? value + ", or none" : value;
        }
    }

    /// <summary>The values of an enumeration that may stand here, with their names.</summary>
    public IEnumerable<(string Name, object Value)> Choices =>
        EnumNames.Of(Type).Where(choice => !choice.Value.Equals(Attribute.Except));

    private string Range
    {
        get
        {
            var (low, high) = (Attribute.Minimum, Attribute.Maximum);
            string least = double.IsNegativeInfinity(low) ? "" : $"{(Attribute.Above ? "above" : "at least")} {Number(low)}";
            string most = double.IsPositiveInfinity(high) ? "" : $"{(Attribute.Below ? "below" : "at most")} {Number(high)}";
            return least.Length + most.Length == 0 ? "" : $" {least}{(least.Length > 0 && most.Length > 0 ? " and " : "")}{most}";
        }
    }

    /// <summary>True for a class with settings.</summary>
    /// <param name="type">The type of a value, or of each item of a list.</param>
    public static bool IsSectionType(Type type) =>
        type.IsClass && type != typeof(string) && type.GetProperties().Any(property => property.IsDefined(typeof(SettingAttribute)));

    /// <summary>The settings of a section, in the order of its properties.</summary>
    public static IReadOnlyList<Setting> Of(Type section) =>
        Known.GetOrAdd(
            section,
            static type =>
                [
                    .. type.GetProperties()
                        .Select(property => (property, attribute: property.GetCustomAttribute<SettingAttribute>()))
                        .Where(entry => entry.attribute is not null)
                        .OrderBy(entry => entry.property.MetadataToken)
                        .Select(entry => new Setting(entry.property, entry.attribute!)),
                ]);

    /// <summary>True where a number is within the limits that the attribute sets.</summary>
    /// <param name="number">The value, or an item of a list.</param>
    public bool IsInRange(double number) =>
        (Attribute.Above ? number > Attribute.Minimum : number >= Attribute.Minimum)
        && (Attribute.Below ? number < Attribute.Maximum : number <= Attribute.Maximum);

    /// <summary>The shortest text that reads back as the same number.</summary>
    public static string Number(double number) => number.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
}
