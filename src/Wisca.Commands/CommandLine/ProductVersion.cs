using System.Reflection;

namespace Wisca.Commands.CommandLine;

/// <summary>The version of the program.</summary>
public static class ProductVersion
{
    /// <summary>The number, and the commit that it was built from.</summary>
    public static string Text { get; } =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
