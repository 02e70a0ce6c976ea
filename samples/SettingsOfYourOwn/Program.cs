// A configuration file of one's own, read as strictly as Wisca reads its own: all mistakes at once, each with its line.
using Wisca;
using Wisca.Settings;

string file = Path.Combine(Directory.CreateTempSubdirectory("wisca-sample-").FullName, "brew.yaml");
File.WriteAllText(file, "cups: 3\nbeans: { grams: 18.5 }\n");

var brew = SettingsReader.Load<Brew>(file, ["beans.roast=dark"]);      // the file, then what wins over it
Console.WriteLine(SettingsWriter.Write(brew, commented: true));        // YAML that reads back as the same record

File.WriteAllText(file, "cups: 300\nbeans: { gram: 18.5 }\n");
try
{
    SettingsReader.Load<Brew>(file);
    return 1;
}
catch (WiscaException mistakes)
{
    Console.WriteLine(mistakes.Message);
    foreach (string mistake in mistakes.Details) Console.WriteLine($"  {mistake}");
    return mistakes.Details.Count == 2 && brew is { Cups: 3, Beans.Roast: Roast.Dark } ? 0 : 1;
}
finally
{
    Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
}

/// <summary>A new record is the defaults.</summary>
public sealed record Brew
{
    [Setting("Number of cups.", Minimum = 1, Maximum = 12)]
    public int Cups { get; init; } = 2;

    [Setting("What goes in.")]
    public Beans Beans { get; init; } = new();
}

public sealed record Beans
{
    [Setting("Weight in grams.", Minimum = 0, Above = true)]
    public double Grams { get; init; } = 12;

    [Setting("How dark.")]
    public Roast Roast { get; init; } = Roast.Light;
}

public enum Roast
{
    Light,
    Dark,
}
