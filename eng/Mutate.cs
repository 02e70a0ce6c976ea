#:property PublishAot=false
#:property ManagePackageVersionsCentrally=false
// Changes one place of the code at a time and runs the tests that should notice: eng/mutate [NAME ...]. See eng/mutations.txt.
using System.Diagnostics;

string root = Directory.GetCurrentDirectory(), copy = Path.Combine(root, "artifacts", "mutants", "tree");
var mutations = Parse(Path.Combine(root, "eng", "mutations.txt"));
if (args is ["--list"])
{
    foreach (var mutation in mutations) Console.WriteLine($"{mutation.Name}: {mutation.File}");
    return 0;
}

var chosen = args.Length == 0 ? mutations : [.. mutations.Where(mutation => args.Contains(mutation.Name))];
if (args.FirstOrDefault(name => mutations.All(mutation => mutation.Name != name)) is { } unknown)
{
    Console.Error.WriteLine($"{unknown} is no mutation of eng/mutations.txt; eng/mutate --list names them");
    return 2;
}

// A checkout of its own, so that the working tree is never half mutated.
Run("git", ["worktree", "remove", "--force", copy], root, quiet: true);
if (Run("git", ["worktree", "add", "--detach", "--force", copy, "HEAD"], root, quiet: true) != 0) return 2;
List<string> survivors = [], broken = [];
try
{
    foreach (var mutation in chosen)
    {
        string path = Path.Combine(copy, mutation.File), text = File.ReadAllText(path);
        int count = text.Split(mutation.Old).Length - 1;
        if (count != 1)
        {
            broken.Add(mutation.Name);
            Console.WriteLine($"BROKEN    {mutation.Name}: its text stands {count} times in {mutation.File}, expected once");
            continue;
        }

        File.WriteAllText(path, text.Replace(mutation.Old, mutation.New, StringComparison.Ordinal));
        try
        {
            var clock = Stopwatch.StartNew();
            string project = Path.Combine(copy, "tests", mutation.Project);

            // Style is not what is tried.
            int built = Run(
                "dotnet",
                ["build", project, "-c", "Release", "--nologo", "-v", "q", "-p:TreatWarningsAsErrors=false", "-p:EnforceCodeStyleInBuild=false"],
                copy, quiet: true);
            if (built != 0)
            {
                broken.Add(mutation.Name);
                Console.WriteLine($"BROKEN    {mutation.Name}: it does not compile");
                continue;
            }

            bool killed = Run(
                "dotnet", ["run", "--project", project, "-c", "Release", "--no-build", "--", "--filter-class", mutation.Filter], copy, quiet: true,
                atMost: TimeSpan.FromMinutes(5)) != 0;
            if (!killed) survivors.Add(mutation.Name);
            Console.WriteLine($"{(killed ? "killed   " : "SURVIVED ")} {mutation.Name} ({clock.Elapsed.TotalSeconds:0} s)");
        }
        finally
        {
            File.WriteAllText(path, text);
        }
    }
}
finally
{
    Run("git", ["worktree", "remove", "--force", copy], root, quiet: true);
}

Console.WriteLine($"{chosen.Count - survivors.Count - broken.Count} of {chosen.Count} killed, {survivors.Count} survived, {broken.Count} broken");
return survivors.Count + broken.Count == 0 ? 0 : 1;

static int Run(string program, string[] arguments, string folder, bool quiet, TimeSpan? atMost = null)
{
    var start = new ProcessStartInfo(program, arguments)
    {
        WorkingDirectory = folder, RedirectStandardOutput = quiet, RedirectStandardError = quiet,
    };
    using var process = Process.Start(start)!;
    var output = quiet ? Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync()) : null;

    // A mutant that hangs is one that the tests noticed.
    if (!process.WaitForExit(atMost ?? TimeSpan.FromMinutes(15)))
    {
        process.Kill(entireProcessTree: true);
        return -1;
    }

    output?.Wait();
    return process.ExitCode;
}

static List<Mutation> Parse(string file)
{
    var mutations = new List<Mutation>();
    string[] block = [];
    foreach (string line in File.ReadLines(file).Append(""))
    {
        if (line.StartsWith('#')) continue;
        if (line.Length > 0)
        {
            block = [.. block, line];
            continue;
        }

        if (block.Length == 0) continue;
        if (block is not [var name, var path, ['-', ' ', .. var old], ['+', .. var fresh], var tests] || tests.Split(' ') is not [var project, var filter])
            throw new FormatException($"{file}: expected name, file, '- old', '+ new' and 'Project *Class*', not:\n{string.Join('\n', block)}");
        mutations.Add(new Mutation(name, path, old, fresh.TrimStart(), project, filter));
        block = [];
    }

    return mutations;
}

internal sealed record Mutation(string Name, string File, string Old, string New, string Project, string Filter);
