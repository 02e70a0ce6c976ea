using System.Diagnostics;
using System.Globalization;
using Wisca.Kills;
using Wisca.Tests;

const string help = """
    Kills every command of wisca that writes, by SIGKILL at random moments of its running time, half of them counted from the moment at
    which it has begun to write. After each kill every place holds the old or the new, never a part or a mixture, and the next run succeeds
    and clears what was left. A fault is printed, and ends in exit code 1.

    Usage: dotnet run --project bench/Wisca.Kills -c Release -- [--kills N] [--seed S] [--only NAME]

      --kills N    number of kills, spread over the commands (default 200)
      --seed S     seed of the moments (default 1)
      --only NAME  one command only, such as "tokenize --held-out"
    """;

var options = new Dictionary<string, string> { ["--kills"] = "200", ["--seed"] = "1", ["--only"] = "" };
for (int i = 0; i < args.Length; i += 2)
{
    if (!options.ContainsKey(args[i]) || i + 1 == args.Length)
    {
        Console.Error.WriteLine(help);
        return args[i] is "--help" or "-h" ? 0 : 2;
    }

    options[args[i]] = args[i + 1];
}

int kills = int.Parse(options["--kills"], CultureInfo.InvariantCulture), faults = 0, done = 0;
var random = new Random(int.Parse(options["--seed"], CultureInfo.InvariantCulture));
var clock = Stopwatch.StartNew();
using var folder = new TemporaryFolder();
var subjects = Subjects.Make(folder).Where(subject => options["--only"].Length == 0 || subject.Name == options["--only"]).ToList();
int shares = subjects.Sum(subject => subject.Share), given = 0;
foreach (var subject in subjects)
{
    // Rounded so that all of them together are as many as were asked for.
    int before = 0, own = (kills * (given + subject.Share) / shares) - (kills * given / shares);
    given += subject.Share;
    try
    {
        subject.Prepare();
        for (int kill = 0; kill < own; kill++, done++)
        {
            // Writing is the shorter part of most commands, and its beginning the shortest.
            bool byClock = kill % 2 == 0;
            var moment = byClock ? subject.Time * random.NextDouble() : subject.Time * Math.Pow(random.NextDouble(), 3) / 3;
            if (Victim.Kill(subject.Command, moment, byClock ? null : subject.Writes)) before++;
            subject.Check();
        }
    }
    catch (KillFault fault)
    {
        faults++;
        Console.Error.WriteLine($"{subject.Name}: {fault.Message}");
    }

    Console.WriteLine(
        $"{subject.Name,-20} {subject.Time.TotalSeconds,5:0.00} s a run, {subject.Old + subject.New,3} kills: {subject.Old,3} old, "
        + $"{subject.New,3} new ({before} had ended), {subject.Leftovers,3} with something unfinished"
        + (subject.Torn > 0 ? $", {subject.Torn} torn and refused" : ""));
}

Console.WriteLine($"{done} kills, {faults} faults, {clock.Elapsed.TotalMinutes:0.0} min");
return faults == 0 ? 0 : 1;
