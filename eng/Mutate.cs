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

if (args.FirstOrDefault(name => mutations.All(mutation => mutation.Name != name)) is { } unknown)
{
    Console.Error.WriteLine($"{unknown} is no mutation of eng/mutations.txt; eng/mutate --list names them");
    return 2;
}

// A checkout of its own, so that the working tree is never half mutated. It is kept: what it has built makes the next run short.
bool ready = File.Exists(Path.Combine(copy, ".git"))
    ? Run("git", ["checkout", "--force", "--detach", Head()], copy).Code == 0
    : Run("git", ["worktree", "prune"], root).Code == 0 && Run("git", ["worktree", "add", "--detach", copy, "HEAD"], root).Code == 0;
if (!ready)
{
    Console.Error.WriteLine($"git could not check out HEAD into {copy}; remove that folder and try again");
    return 2;
}

Mutation[] chosen = [.. mutations.Where(mutation => args.Length == 0 || args.Contains(mutation.Name))];
List<string> survivors = [], broken = [];
foreach (var tests in chosen.GroupBy(mutation => mutation.Project))
{
    // A test that fails by itself, or a filter that finds none, would kill every mutant.
    Dictionary<string, (string? Fault, TimeSpan Time)> filters = new(StringComparer.Ordinal);
    string? fault = Build(Path.Combine("tests", tests.Key));
    foreach (var mutation in tests.DistinctBy(mutation => mutation.Filter))
    {
        var clock = Stopwatch.StartNew();
        filters[mutation.Filter] = (fault ?? Test(mutation, TimeSpan.FromMinutes(10)), clock.Elapsed);
    }

    foreach (var mutation in tests)
    {
        var clock = Stopwatch.StartNew();
        string verdict = filters[mutation.Filter].Fault is { } failing ? $"without it: {failing}" : Try(mutation);
        if (verdict == "") survivors.Add(mutation.Name);
        else if (verdict != "killed") broken.Add(mutation.Name);
        Console.WriteLine(verdict switch
        {
            "" => $"SURVIVED  {mutation.Name} ({clock.Elapsed.TotalSeconds:0} s)",
            "killed" => $"killed    {mutation.Name} ({clock.Elapsed.TotalSeconds:0} s)",
            _ => $"BROKEN    {mutation.Name}: {verdict}",
        });

        string Try(Mutation mutation)
        {
            string path = Path.Combine(copy, mutation.File);
            if (!File.Exists(path)) return $"there is no {mutation.File}";
            string text = File.ReadAllText(path);
            int count = text.Split(mutation.Old).Length - 1;
            if (count != 1) return $"its text stands {count} times in {mutation.File}, expected once";

            // What is built is the one assembly, in the place of the one that the tests have.
            string assembly = mutation.File.Split('/')[1], place = Path.Combine(Bin(mutation.Project), assembly + ".dll");
            byte[] whole = File.ReadAllBytes(place);
            try
            {
                File.WriteAllText(path, text.Replace(mutation.Old, mutation.New, StringComparison.Ordinal));
                if (Build(Path.Combine("src", assembly), "--no-restore", "--no-dependencies") is { } mistake) return mistake;
                Put(File.ReadAllBytes(Path.Combine(Bin(assembly), assembly + ".dll")), place);

                // A mutant that hangs is one that the tests noticed.
                var limit = TimeSpan.FromSeconds(60) + (5 * filters[mutation.Filter].Time);
                return Test(mutation, limit) is null ? "" : "killed";
            }
            finally
            {
                File.WriteAllText(path, text);
                Put(whole, place);
            }
        }
    }
}

int killed = chosen.Length - survivors.Count - broken.Count;
Console.WriteLine($"{killed} of {chosen.Length} killed, {survivors.Count} survived, {broken.Count} broken");
return survivors.Count + broken.Count == 0 ? 0 : 1;

// Null, or the first error. Style is not what is tried.
string? Build(string project, params string[] options)
{
    var (code, output) = Run(
        "dotnet",
        [
            "build", project, "-c", "Release", "--nologo", "-v", "q", "-clp:NoSummary", "-p:RunAnalyzers=false",
            "-p:TreatWarningsAsErrors=false", "-p:EnforceCodeStyleInBuild=false", .. options,
        ],
        copy);
    return code == 0 ? null : $"it does not compile: {Line(output, ": error ")}";
}

// By a rename: what a process that is ending still has open stays as it is.
static void Put(byte[] bytes, string place)
{
    File.WriteAllBytes(place + ".new", bytes);
    File.Move(place + ".new", place, overwrite: true);
}

string Bin(string project) => Path.Combine(copy, "artifacts", "bin", project, "release");

// Null, or what failed.
string? Test(Mutation mutation, TimeSpan atMost)
{
    var (code, output) = Run(Path.Combine(Bin(mutation.Project), mutation.Project), ["--filter-class", mutation.Filter], copy, atMost);
    return code == 0 ? null : $"exit code {code}: {Line(output, "failed ")}";
}

string Head() => Run("git", ["rev-parse", "HEAD"], root).Output.Trim();

static string Line(string output, string holding) =>
    output.Split('\n').FirstOrDefault(line => line.Contains(holding, StringComparison.Ordinal))?.Trim() ?? output.Trim();

static (int Code, string Output) Run(string program, string[] arguments, string folder, TimeSpan? atMost = null)
{
    var start = new ProcessStartInfo(program, arguments)
    {
        WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true,
    };
    using var process = Process.Start(start)!;
    var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
    if (process.WaitForExit(atMost ?? TimeSpan.FromMinutes(15)))
    {
        // Not for ever: a build server that stays holds on to the streams.
        return (process.ExitCode, output.Wait(TimeSpan.FromSeconds(5)) ? string.Concat(output.Result) : "");
    }

    process.Kill(entireProcessTree: true);
    return (-1, $"it ran for more than {atMost}");
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
        if (block is not [var name, var path, ['-', ' ', .. var old], ['+', .. var fresh], var tests]
            || tests.Split(' ') is not [var project, var filter])
        {
            throw new FormatException(
                $"{file}: expected name, file, '- old', '+ new' and 'Project *Class*', not:\n{string.Join('\n', block)}");
        }


        if (mutations.Any(mutation => mutation.Name == name)) throw new FormatException($"{file}: two mutations are called {name}");
        mutations.Add(new Mutation(name, path, old, fresh is [' ', .. var rest] ? rest : fresh, project, filter));
        block = [];
    }

    return mutations;
}

internal sealed record Mutation(string Name, string File, string Old, string New, string Project, string Filter);
