using Wisca.Settings;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>The tasks that are known: built-in ones, and those of a folder.</summary>
public sealed class TaskCatalogue
{
    private const string Hint = "docs/adding-a-task.md says what a task's file holds";
    private readonly Dictionary<string, TaskDefinition> _tasks = [];
    private readonly Dictionary<string, TaskGroup> _groups = [];

    private TaskCatalogue()
    {
    }

    /// <summary>Single tasks, by name; the members of groups among them.</summary>
    public IReadOnlyDictionary<string, TaskDefinition> Tasks => _tasks;

    /// <summary>Groups, by name.</summary>
    public IReadOnlyDictionary<string, TaskGroup> Groups => _groups;

    /// <summary>Reads the catalogue.</summary>
    /// <param name="include">A folder with definitions of one's own (*.yaml),
    /// which win over built-in ones of the same name; null for none.</param>
    /// <exception cref="WiscaException">A definition is wrong; file and line are named.</exception>
    public static TaskCatalogue Load(string? include = null)
    {
        var catalogue = new TaskCatalogue();
        var assembly = typeof(TaskCatalogue).Assembly;
        foreach (
            string name in assembly
                .GetManifestResourceNames()
                .Where(name => name.StartsWith("Tasks/", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            catalogue.Add(SettingsReader.Read<TaskDefinition>(reader.ReadToEnd(), name, hint: Hint), name, own: []);
        }

        if (include is null) return catalogue;
        if (!Directory.Exists(include))
            throw new WiscaException($"{include} is no folder", "--include names a folder with task definitions (*.yaml)");
        var own = new HashSet<string>();
        foreach (
            string file in Directory
                .EnumerateFiles(include)
                .Where(file => Path.GetExtension(file) is ".yaml" or ".yml")
                .Order(StringComparer.Ordinal))
            catalogue.Add(SettingsReader.Load<TaskDefinition>(file, hint: Hint), file, own);
        return catalogue;
    }

    /// <summary>Finds tasks and groups by name; each task comes once, in the order asked for.</summary>
    /// <param name="names">Names, in which * stands for any letters.</param>
    /// <exception cref="WiscaException">A name is not known.</exception>
    public TaskSelection Select(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        var tasks = new List<TaskDefinition>();
        var groups = new List<TaskGroup>();
        foreach (string name in names)
        {
            string[] found = name.Contains('*', StringComparison.Ordinal)
                ?
                [
                    .. _groups
                        .Keys.Concat(_tasks.Keys)
                        .Where(known => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(name, known, ignoreCase: false)),
                ]
                : [name];
            if (found.Length == 0) throw Unknown(name);
            foreach (string known in found)
            {
                if (_groups.TryGetValue(known, out var group))
                {
                    if (!groups.Contains(group)) groups.Add(group);
                    tasks.AddRange(group.Tasks.Where(task => !tasks.Contains(task)));
                }
                else if (!_tasks.TryGetValue(known, out var task))
                {
                    throw Unknown(known);
                }
                else if (!tasks.Contains(task))
                {
                    tasks.Add(task);
                }
            }
        }

        return new TaskSelection(tasks, groups);
    }

    private static WiscaException Unknown(string name) =>
        new($"no task is called '{name}'", "wisca eval --list-tasks says which there are; --include DIR adds your own");

    private void Add(TaskDefinition definition, string file, HashSet<string> own)
    {
        TaskDefinition[] tasks = [.. definition.Expand()];
        foreach (
            string name in (string[])[.. tasks.Select(task => task.Task), .. definition.Group.Name is { } group ? [group] : (string[])[]])
        {
            if (!own.Add(name)) throw new WiscaException($"{file}: a task is called '{name}' for the second time", "rename one of them");
            _groups.Remove(name);
            _tasks.Remove(name);
        }

        foreach (var task in tasks) _tasks[task.Task] = task;
        if (definition.Group.Name is { } named)
            _groups[named] = new TaskGroup(named, definition.About, definition.Group.Version, definition.Group.WeightBySize, tasks);
    }
}
