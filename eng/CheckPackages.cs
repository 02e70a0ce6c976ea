// Checks every package of a folder, and prints what there is: dotnet run eng/CheckPackages.cs -- FOLDER HOME VERSION
// HOME is the address of the repository. Exit code 1 where a package lacks something.
using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;

if (args is not [var folder, var home, var version])
{
    Console.Error.WriteLine("usage: dotnet run eng/CheckPackages.cs -- FOLDER HOME VERSION");
    return 2;
}

int faults = 0;
string[] packages = [.. Directory.EnumerateFiles(folder, "*.nupkg").Order(StringComparer.Ordinal)];
Console.WriteLine($"{"package",-36} {"size",10} {"unpacked",11} {"symbols",10}");
foreach (string path in packages)
{
    using var package = ZipFile.OpenRead(path);
    var symbols = new FileInfo(Path.ChangeExtension(path, ".snupkg"));
    Console.WriteLine(
        $"{Path.GetFileName(path),-36} {Kilobytes(new FileInfo(path).Length),10} "
        + $"{Kilobytes(package.Entries.Sum(entry => entry.Length)),11} {(symbols.Exists ? Kilobytes(symbols.Length) : "none"),10}");
    foreach (string fault in Faults(package, symbols))
    {
        Console.WriteLine($"  {fault}");
        faults++;
    }
}

Console.WriteLine($"{packages.Length} packages, {faults} faults");
return packages.Length > 0 && faults == 0 ? 0 : 1;

IEnumerable<string> Faults(ZipArchive package, FileInfo symbols)
{
    var specification = package.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal));
    var metadata = XDocument.Parse(Text(specification)).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
    string? Said(string name) => metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;
    string? Repository(string name) =>
        metadata.Elements().SingleOrDefault(element => element.Name.LocalName == "repository")?.Attribute(name)?.Value;

    if (Said("version") != version) yield return $"version {Said("version")}, expected {version}";
    if (Said("license") != "Apache-2.0") yield return $"licence {Said("license") ?? "missing"}, expected Apache-2.0";
    if (Said("projectUrl") != home) yield return $"project's address {Said("projectUrl") ?? "missing"}, expected {home}";
    if (Repository("url") != home) yield return $"repository {Repository("url") ?? "missing"}, expected {home}";
    if (Repository("type") != "git") yield return "type of the repository missing, expected git";
    if (Repository("commit") is not { Length: 40 }) yield return "commit of the repository missing";
    if (Said("description") is not { Length: > 40 }) yield return "no description to speak of";
    if (!symbols.Exists) yield return $"no symbols: {symbols.Name}";
    if (Said("icon") is not { } icon || package.GetEntry(icon) is null) yield return "no icon";
    if (Said("readme") is not { } name || package.GetEntry(name) is not { } readme) yield return "no readme";
    else
    {
        string text = Text(readme), id = Said("id")!;
        if (!text.StartsWith($"# {id}\n", StringComparison.Ordinal)) yield return $"the readme does not begin with # {id}";
        foreach (Match link in Regex.Matches(text, @"\]\(([^)\s]+)\)"))
        {
            if (!link.Groups[1].Value.StartsWith("https://", StringComparison.Ordinal))
                yield return $"the readme's link {link.Groups[1].Value} leads nowhere outside the repository";
        }
    }
}

static string Text(ZipArchiveEntry entry)
{
    using var reader = new StreamReader(entry.Open());
    return reader.ReadToEnd();
}

static string Kilobytes(long bytes) => $"{bytes / 1000.0:#,0.0} kB";
