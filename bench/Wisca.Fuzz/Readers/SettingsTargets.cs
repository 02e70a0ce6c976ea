using System.Text;
using Wisca.Comparison.Studies;
using Wisca.Settings;
using Wisca.Tests;
using Wisca.Training.Configuration;

namespace Wisca.Fuzz.Readers;

/// <summary>Configurations in YAML. What is accepted is written out and read again.</summary>
internal sealed class SettingsTargets : ITargets
{
    private readonly TemporaryFolder _folder = new();

    public SettingsTargets()
    {
        string configs = Path.Combine(Fixtures.Root, "configs");
        string[] all = [.. Directory.GetFiles(configs, "*.yaml").Order(StringComparer.Ordinal)],
            finetuning = [.. all.Where(path => Path.GetFileName(path).StartsWith("finetune", StringComparison.Ordinal))],
            studies = [.. Directory.GetFiles(Path.Combine(configs, "compare"), "*.yaml").Order(StringComparer.Ordinal)];
        All =
        [
            Target("train.yaml", 8, [.. all.Except(finetuning)], path => WriteAndRead(TrainingConfig.Load(path))),
            Target("finetune.yaml", 5, finetuning, path => WriteAndRead(FinetuneConfig.Load(path))),
            Target("study.yaml", 6, studies, path => Study.Load(path).Plan(new Dictionary<string, Comparison.Results.RunResult>())),
        ];
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose() => _folder.Dispose();

    private static void WriteAndRead<T>(T config)
        where T : class, new() =>
        SettingsReader.Read<T>(SettingsWriter.Write(config, commented: false), "written");

    private Target Target(string name, int share, string[] files, Action<string> read)
    {
        string[] texts = [.. files.Select(File.ReadAllText)];
        return new Target(
            name,
            share,
            random => random.Next(30) == 0
                ? Encoding.UTF8.GetBytes(random.GetItems(texts, 1)[0])
                : Mutator.Yaml(random.GetItems(texts, 1)[0], random),
            input =>
            {
                File.WriteAllBytes(_folder[name], input);
                read(_folder[name]);
            },
            null)
        {
            JsonOf = _ => default,
        };
    }
}
