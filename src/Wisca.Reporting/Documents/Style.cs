namespace Wisca.Reporting.Documents;

/// <summary>Style sheets and the script, which are part of this library.</summary>
internal static class Style
{
    public static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(Style).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
