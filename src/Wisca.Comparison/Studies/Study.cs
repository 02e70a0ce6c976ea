using System.Globalization;
using Wisca.Comparison.Results;
using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Studies;

/// <summary>A study that was read and checked: which runs it has, and what each of them is.</summary>
public sealed class Study
{
    private const string OneModel = "model",
        OneGrid = "main",
        Hint =
            "wisca compare --print-config prints every key; docs/comparing.md tells how arms are made, "
            + "and runs says which command has the settings";

    // What a study decides itself.
    private static readonly string[] Reserved = ["seed", "output", "threads"];

    private readonly List<string> _faults = [];
    private readonly Dictionary<(string Regime, string Model, string Arm), RunConfig> _configs = [];
    private readonly RunKind _kind;
    private readonly Dictionary<(string, string, string, long, double), PlannedRun> _runs = [];
    private readonly List<(GridSection Grid, Regime Regime)> _grids = [];
    private readonly string _name;
    private Dictionary<(string Regime, string Model, string Arm), TrainingCheck>? _checks;

    private Study(StudyConfig config, string name)
    {
        (Config, _name, _kind) = (config, name, RunKind.Of(config.Runs));
        Models = config.Models.IsEmpty ? [OneModel] : [.. config.Models.Keys];
        Arms = [.. config.Arms.Keys.Where(arm => arm == config.Baseline), .. config.Arms.Keys.Where(arm => arm != config.Baseline)];
        Resolve(name);
        if (_faults.Count == 1) throw new WiscaException(_faults[0], Hint);
        if (_faults.Count > 1) throw new WiscaException($"{name} has {_faults.Count} mistakes", Hint) { Details = _faults };
    }

    /// <summary>What was read.</summary>
    public StudyConfig Config { get; }

    /// <summary>The models' names.</summary>
    public IReadOnlyList<string> Models { get; }

    /// <summary>The arms' names, the baseline first.</summary>
    public IReadOnlyList<string> Arms { get; }

    /// <summary>The regimes.</summary>
    public IReadOnlyList<Regime> Regimes => [.. _grids.Select(entry => entry.Regime).Distinct()];

    /// <summary>Reads and checks a study: every model and every arm is laid over what it stands on,
    /// and all mistakes are reported at once.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">Single settings that win over the file: <c>training.steps=100</c>.</param>
    /// <exception cref="WiscaException">The file cannot be read, or there are mistakes.</exception>
    public static Study Load(string path, IReadOnlyList<string>? overrides = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        return new Study(SettingsReader.Load<StudyConfig>(path, overrides), path);
    }

    /// <summary>Checks each model with each of its arms as far as that is possible without training.</summary>
    /// <returns>What each run trains.</returns>
    /// <exception cref="WiscaException">Some would not begin; all of them are reported.</exception>
    public IReadOnlyDictionary<(string Regime, string Model, string Arm), TrainingCheck> CheckRuns()
    {
        if (_checks is not null) return _checks;
        var checks = new Dictionary<(string, string, string), TrainingCheck>();
        var faults = new List<(string Place, string Message)>();
        WiscaException? first = null;
        foreach (var (place, config) in _configs)
        {
            try
            {
                checks[place] = _kind.Check(config);
            }
            catch (WiscaException exception)
            {
                first ??= exception;
                faults.Add(($"{place.Regime}/{place.Model}/{place.Arm}", exception.Message));
            }
        }

        if (first is null) return _checks = checks;
        throw new WiscaException($"{_name}: {(faults.Count == 1 ? "a run" : $"{faults.Count} kinds of runs")} would not begin", first.Hint)
        {
            Details =
            [
                .. faults
                    .GroupBy(fault => fault.Message)
                    .Select(alike =>
                        $"{alike.First().Place}: {alike.Key}{(alike.Count() > 1 ? $" (and {alike.Count() - 1} more like it)" : "")}"),
            ],
        };
    }

    /// <summary>The whole configuration of a regime, a model and an arm, at the first of its seeds and learning rates.</summary>
    /// <param name="regime">The regime.</param>
    /// <param name="model">The model.</param>
    /// <param name="arm">The arm.</param>
    public RunConfig ConfigOf(string regime, string model, string arm) => _configs[(regime, model, arm)];

    /// <summary>What makes its runs.</summary>
    internal RunKind Kind => _kind;

    /// <summary>The runs that are known, given the results so far.</summary>
    /// <param name="results">Results by id.</param>
    public StudyPlan Plan(IReadOnlyDictionary<string, RunResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var runs = new List<PlannedRun>();
        var waiting = new List<string>();
        foreach (var (grid, regime) in _grids)
        {
            var rates = new Dictionary<string, IReadOnlyList<double>>(StringComparer.Ordinal);
            foreach (string model in ModelsOf(grid))
            {
                rates[model] = IsBest(grid) ? BestRate(regime, model, results) is { } best ? [best] : [] : StatedRates(grid, regime, model);
                if (rates[model].Count == 0) waiting.Add($"grid {grid.Name}, {model}: waits for the baseline's best learning rate");
            }

            foreach (long seed in SeedsOf(grid))
            {
                foreach (
                    var (model, rate) in ModelsOf(grid)
                        .SelectMany(model => rates[model].Select(rate => (model, rate)))
                        .OrderBy(entry => rates[entry.model].ToList().IndexOf(entry.rate)))
                    runs.AddRange(ArmsOf(grid).Select(arm => Run(regime.Name, model, arm, seed, rate)));
            }
        }

        return new StudyPlan([.. runs.DistinctBy(run => (run.Regime, run.Model, run.Arm, run.Seed, run.LearningRate))], waiting);
    }

    /// <summary>The results in a folder that hold together and are what their ids stand for; the others are named.</summary>
    /// <param name="folder">The study's folder.</param>
    public StudyResults ResultsIn(StudyFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var (results, broken) = folder.ReadResults();
        var faults = new List<(string Id, string Fault)>();
        var trusted = Trusted(results, faults);
        return new StudyResults(
            trusted, [.. broken, .. faults.Select(entry => new RefusedResult(folder.ResultPath(entry.Id), entry.Fault))]);
    }

    /// <summary>Takes over from another folder what this study can use; see <see cref="StudyFolder.Merge"/>.</summary>
    /// <param name="folder">This study's folder, locked.</param>
    /// <param name="other">The other folder.</param>
    /// <exception cref="WiscaException">It is no study's folder, or this one cannot be written.</exception>
    public MergeOutcome Merge(StudyFolder folder, string other)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(other);

        // Ours and theirs together say which runs there are.
        var both = new Dictionary<string, RunResult>(new StudyFolder(other).ReadResults().ById, StringComparer.Ordinal);
        foreach (var (id, result) in folder.ReadResults().ById) both[id] = result;
        var faults = new List<(string Id, string Fault)>();
        Trusted(both, faults);
        return folder.Merge(other, result => faults.Find(entry => entry.Id == result.Id).Fault);
    }

    /// <summary>
    /// The results that are what their ids stand for. A run's id is a hash of all that it computes, so that a result by that id with
    /// another seed, rate or number of steps is of something else, whoever wrote it.
    /// </summary>
    /// <param name="results">The results by id.</param>
    /// <param name="refused">Gets the ids of the others, each with what is wrong.</param>
    public Dictionary<string, RunResult> Trusted(
        IReadOnlyDictionary<string, RunResult> results, ICollection<(string Id, string Fault)> refused)
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(refused);
        var trusted = new Dictionary<string, RunResult>(results, StringComparer.Ordinal);

        // Which runs there are depends on results (a grid at the best rate): until nothing more is refused.
        for (int before = -1; before != trusted.Count;)
        {
            before = trusted.Count;
            foreach (var run in Plan(trusted).Runs)
            {
                if (!trusted.TryGetValue(run.Id, out var result) || Fault(run, result) is not { } fault) continue;
                trusted.Remove(run.Id);
                refused.Add((run.Id, fault));
            }
        }

        return trusted;
    }

    /// <summary>What a result says that is not what its run's id stands for; null where it is.</summary>
    internal string? Fault(PlannedRun run, RunResult result)
    {
        if (result.Seed != run.Seed) return $"seed is {result.Seed}, but the run of this id has {run.Seed}";
        if (result.LearningRate != run.LearningRate)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"learning_rate is {result.LearningRate:R}, but the run of this id has {run.LearningRate:R}");
        if (result.Outcome == RunOutcome.Completed && _kind.StepsOf(run.Config) is { } steps && result.Steps != steps)
            return $"steps is {result.Steps}, but the run of this id has {steps}";
        return _kind.Difference(run.Config, result.Configuration);
    }

    /// <summary>The learning rate at which the baseline has the lowest mean loss on the validation text;
    /// null where runs of it are missing, or all diverged.</summary>
    private double? BestRate(Regime regime, string model, IReadOnlyDictionary<string, RunResult> results)
    {
        var runs = _grids.Where(entry => entry.Regime == regime && !IsBest(entry.Grid) && ModelsOf(entry.Grid).Contains(model))
            .SelectMany(entry =>
                StatedRates(entry.Grid, regime, model)
                    .SelectMany(rate => SeedsOf(entry.Grid).Select(seed => Run(regime.Name, model, Config.Baseline, seed, rate))))
            .Distinct()
            .ToList();
        return runs.All(run => results.ContainsKey(run.Id)) ? RunSelection.BestRate(runs.Select(run => (run, results[run.Id]))) : null;
    }

    private static bool IsBest(GridSection grid) => grid.LearningRates.Contains(GridSection.Best);

    private IReadOnlyList<string> ModelsOf(GridSection grid) => grid.Models.Count > 0 ? grid.Models : Models;

    private IEnumerable<string> ArmsOf(GridSection grid) =>
        grid.Arms.Count > 0 ? grid.Arms.Where(arm => arm != Config.Baseline).Prepend(Config.Baseline) : Arms;

    private IReadOnlyList<long> SeedsOf(GridSection grid) => grid.Seeds.Count > 0 ? grid.Seeds : Config.Seeds;

    private IReadOnlyList<double> StatedRates(GridSection grid, Regime regime, string model) =>
        grid.LearningRates.Count > 0 ? [.. grid.LearningRates.Select(rate => double.Parse(rate, CultureInfo.InvariantCulture))]
        : Config.LearningRates.Count > 0 ? Config.LearningRates
        : [_configs[(regime.Name, model, Config.Baseline)].Optimizer.LearningRate];

    private PlannedRun Run(string regime, string model, string arm, long seed, double rate)
    {
        var key = (regime, model, arm, seed, rate);
        if (_runs.TryGetValue(key, out var known)) return known;
        var config = _configs[(regime, model, arm)];
        config = RunKind.At(config, seed, rate);
        return _runs[key] = new PlannedRun(_kind.Id(config), regime, model, arm, seed, rate, config);
    }

    /// <summary>Lays the layers over each other and collects what is wrong.</summary>
    private void Resolve(string name)
    {
        CheckNames(name);
        if (_faults.Count > 0) return;
        RunConfig start;
        try
        {
            start = _kind.Load(Config.Base is { } file ? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(name))!, file) : null);
        }
        catch (WiscaException exception)
        {
            _faults.AddRange(exception.Details.Count > 0 ? exception.Details : [exception.Message]);
            return;
        }

        if (Lay(start, Config.Training.Root, Reserved) is not { } common) return;
        foreach (var (grid, regime) in _grids)
        {
            foreach (string model in ModelsOf(grid))
            {
                if (
                    Lay(common, Tree(Config.Models, model), Reserved) is not { } made
                    || Lay(made, regime.Training.Root, Reserved) is not { } based)
                    continue;
                foreach (string arm in ArmsOf(grid).Where(arm => !_configs.ContainsKey((regime.Name, model, arm))))
                {
                    // An arm with a learning rate of its own would not be compared at equal ones.
                    if (Lay(based, Tree(Config.Arms, arm), [.. Reserved, "optimizer.learning_rate"]) is not { } whole) continue;
                    whole = _kind.Studied(whole);
                    if (regime.Costs.TryGetValue(arm, out double cost) && cost != 1)
                    {
                        if (_kind.Shortened(whole, cost) is { } shorter) whole = shorter;
                        else _faults.Add($"{name}: grids.{grid.Name}.costs: steps of {arm} follow from its data, expected steps to divide");
                    }

                    _configs[(regime.Name, model, arm)] = whole;
                }
            }
        }
    }

    private void CheckNames(string name)
    {
        foreach (var (what, tree) in (IEnumerable<(string, SettingsTree)>)[("models", Config.Models), ("arms", Config.Arms)])
        {
            foreach (var entry in tree.Root.Entries)
            {
                if (entry.Value is not (MappingNode or ScalarNode { IsEmpty: true }))
                    _faults.Add($"{entry.Place}: {what}.{entry.Key}: not a mapping, expected settings");
                if (entry.Key.Length == 0 || !entry.Key.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '+' or '-'))
                    _faults.Add($"{entry.Place}: {what}: the name '{entry.Key}', expected letters, digits and ._+-");
            }
        }

        if (Config.Arms.IsEmpty) _faults.Add($"{name}: arms: none, expected at least two");
        else if (!Config.Arms.Keys.Contains(Config.Baseline))
            _faults.Add($"{name}: baseline: '{Config.Baseline}', expected one of the arms {string.Join(", ", Config.Arms.Keys)}");
        else if (Arms.Count == 1) _faults.Add($"{name}: arms: only the baseline, expected another to compare with it");
        if (Config.Seeds.Count == 0) _faults.Add($"{name}: seeds: none, expected at least one");
        var grids = Config.Grids.Count > 0 ? Config.Grids : [new GridSection { Name = OneGrid }];
        foreach (string twice in grids.GroupBy(grid => grid.Name).Where(group => group.Count() > 1).Select(group => group.Key))
            _faults.Add($"{name}: grids: two are called {twice}, expected names that differ");
        foreach (var grid in grids)
        {
            Known(grid, "models", grid.Models, Models);
            Known(grid, "arms", grid.Arms, Arms);
            if (IsBest(grid) && grid.LearningRates.Count > 1)
                _faults.Add($"{name}: grids.{grid.Name}.learning_rates: best among others, expected best alone, or numbers");
            if (
                grid.LearningRates.Any(rate =>
                    rate != GridSection.Best && !(double.Parse(rate, CultureInfo.InvariantCulture) is > 0 and < double.PositiveInfinity)))
                _faults.Add($"{name}: grids.{grid.Name}.learning_rates: a number that is not above 0");
            _grids.Add(
                (
                    grid,
                    _grids.FirstOrDefault(entry =>
                        entry.Grid.Training.ToString() == grid.Training.ToString()
                        && entry.Grid.Costs.ToString() == grid.Costs.ToString()).Regime
                        ?? new Regime(grid.Name, grid.Training, CostsOf(grid, name))));
        }

        foreach (var (grid, regime) in _grids.Where(entry => IsBest(entry.Grid)))
        {
            foreach (
                string model in ModelsOf(grid)
                    .Where(model =>
                        !_grids.Any(other => other.Regime == regime && !IsBest(other.Grid) && ModelsOf(other.Grid).Contains(model))))
                _faults.Add(
                    $"{name}: grids.{grid.Name}.learning_rates: best, but no grid with the same training settings states learning rates "
                    + $"for {model}");
        }

        void Known(GridSection grid, string key, IReadOnlyList<string> given, IReadOnlyList<string> known)
        {
            foreach (string other in given.Except(known))
                _faults.Add($"{name}: grids.{grid.Name}.{key}: '{other}', expected some of {string.Join(", ", known)}");
        }
    }

    private Dictionary<string, double> CostsOf(GridSection grid, string name)
    {
        var costs = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var entry in grid.Costs.Root.Entries)
        {
            if (!Arms.Contains(entry.Key))
                _faults.Add(
                    $"{entry.Place}: grids.{grid.Name}.costs: '{entry.Key}', expected some of {string.Join(", ", Arms)}");
            else if (
                entry.Value is ScalarNode { Text: var text }
                && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double cost)
                && cost is > 0.01 and < 100)
                costs[entry.Key] = cost;
            else _faults.Add($"{entry.Place}: grids.{grid.Name}.costs.{entry.Key}: expected a number between 0.01 and 100");
        }

        if (costs.TryGetValue(Config.Baseline, out double own) && own != 1)
            _faults.Add($"{name}: grids.{grid.Name}.costs.{Config.Baseline}: expected 1, the baseline's step is the unit");
        return costs;
    }

    private static MappingNode? Tree(SettingsTree names, string name) => names.Root.Find(name)?.Value as MappingNode;

    /// <summary>Lays settings over a configuration; null where they are wrong.</summary>
    private RunConfig? Lay(RunConfig start, MappingNode? settings, IEnumerable<string> reserved)
    {
        var binder = new SettingsBinder();
        foreach (string key in reserved)
        {
            var section = settings;
            MappingEntry? entry = null;
            foreach (string part in key.Split('.')) section = (entry = section?.Find(part))?.Value as MappingNode;
            if (entry is null) continue;
            binder.Fault(entry.Place, key, key switch
            {
                "seed" => "given, expected none: the study's seeds decide",
                "output" => "given, expected none: a run's place is in the study's output",
                "threads" => "given, expected none: the study's threads decide",
                _ =>
                    "given by an arm, expected none: arms are compared at the study's learning_rates; "
                    + "optimizer.multipliers changes those of single tensors",
            });
        }

        var config = RunKind.Lay(binder, settings, _name, start);
        _faults.AddRange(binder.Faults.Except(_faults).ToList());
        return binder.Faults.Count == 0 ? config : null;
    }
}
