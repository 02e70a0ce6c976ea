using System.Text.Json;
using System.Text.RegularExpressions;
using Wisca.Data.Corpora.Stories;
using Wisca.Evaluation.Tasks.Making;
using Wisca.Tests;

namespace Wisca.Evaluation.Tests.Tasks.Making;

public sealed class StoryTasksTests : IDisposable
{
    private const int Items = 60;

    private static readonly string[] Tasks = ["continuation", "agreement", "pronoun", "name", "cause"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Stories as the built-in ones are, a paragraph between empty lines.</summary>
    private static List<string> Stories { get; } =
        [.. new StoryGenerator(7).Stories().Take(600).Select(story => story.Replace("\n", "\n\n"))];

    private sealed record Question(string Task, string Given, string[] Choices, int Label)
    {
        public string Right => Choices[Label];

        public IEnumerable<string> Wrong => Choices.Where((_, index) => index != Label);
    }

    private List<Question> Write(string name, long seed, int items = Items)
    {
        StoryTasks.Write(Stories, _folder[name], items, seed);
        return
        [
            .. Tasks.SelectMany(task => File.ReadLines(_folder[name, "stories", task + ".jsonl"]).Select(line =>
            {
                var json = JsonDocument.Parse(line).RootElement;
                string given = json.TryGetProperty("context", out var context)
                    ? context.GetString()!
                    : json.GetProperty("continuation").GetString()!;
                return new Question(
                    task, given, [.. json.GetProperty("choices").EnumerateArray().Select(choice => choice.GetString()!)],
                    json.GetProperty("label").GetInt32());
            })),
        ];
    }

    [Fact]
    public void Write_AnySeed_IsAFunctionOfTextAndSeed()
    {
        Write("one", 1);
        Write("again", 1);
        Write("other", 2);
        foreach (string file in Directory.EnumerateFiles(_folder["one"], "*", SearchOption.AllDirectories))
        {
            string relative = Path.GetRelativePath(_folder["one"], file);
            File.ReadAllText(_folder["again", relative]).ShouldBe(File.ReadAllText(file), relative);
        }

        foreach (string task in Tasks)
            File.ReadAllText(_folder["other", "stories", task + ".jsonl"])
                .ShouldNotBe(File.ReadAllText(_folder["one", "stories", task + ".jsonl"]), task);
    }

    [Fact]
    public void Write_EveryQuestion_HasDifferentChoicesAndAnyOfThemIsRight()
    {
        var questions = Write("made", 3, 300);
        questions.Count.ShouldBe(Tasks.Length * 300);
        foreach (var task in questions.GroupBy(question => question.Task))
        {
            int choices = task.First().Choices.Length;
            choices.ShouldBe(task.Key switch { "agreement" => 2, "pronoun" or "cause" => 3, _ => 5 });
            foreach (var question in task)
            {
                question.Choices.ShouldBeUnique();
                question.Choices.Length.ShouldBe(choices);
                question.Label.ShouldBeInRange(0, choices - 1);
            }

            task.Select(question => (question.Given, question.Right)).ShouldBeUnique();

            // Five deviations of a fair draw.
            foreach (int place in Enumerable.Range(0, choices))
                ((double)task.Count(question => question.Label == place))
                    .ShouldBe(300.0 / choices, 5 * Math.Sqrt(300.0 / choices), $"{task.Key} {place}");
        }
    }

    /// <summary>The right one is what the text says, and the others are not.</summary>
    [Fact]
    public void Write_QuestionsFromText_AreAnsweredByTheText()
    {
        string text = Regex.Replace(string.Join(' ', Stories), @"\s+", " ");
        foreach (var question in Write("made", 4).Where(question => question.Task is "continuation" or "pronoun" or "name"))
        {
            bool context = question.Task == "continuation";
            string Whole(string choice) => context ? $"{choice} {question.Given}" : $"{question.Given} {choice}";
            text.ShouldContain(Whole(question.Right));
            foreach (string wrong in question.Wrong) text.ShouldNotContain(Whole(wrong));
        }
    }

    [Fact]
    public void Write_Names_AreTheOneThatWasToldBefore()
    {
        foreach (var question in Write("made", 5).Where(question => question.Task == "name"))
        {
            string[] right = question.Right.Split(' ');
            foreach (string[] wrong in question.Wrong.Select(choice => choice.Split(' ')))
            {
                // One word differs, and only the right one is in the context.
                var differing = right.Zip(wrong).Where(pair => pair.First != pair.Second).Distinct().ToList();
                foreach (var (mine, other) in differing)
                {
                    question.Given.ShouldContain(Bare(mine));
                    Regex.IsMatch(question.Given, $@"\b{Bare(other)}\b").ShouldBeFalse(question.Given);
                }

                differing.Select(pair => Bare(pair.First)).Distinct().ShouldHaveSingleItem();
            }
        }

        static string Bare(string word) => Regex.Replace(word, "('s)?[^A-Za-z]*$", "");
    }

    [Fact]
    public void Write_Agreement_HasBothNumbersAsOften()
    {
        var questions = Write("made", 6, 200).Where(question => question.Task == "agreement").ToList();
        questions.Count(question => Regex.IsMatch(question.Right, "^(were|are|have) ")).ShouldBe(100);
        foreach (var question in questions)
        {
            bool plural = Regex.IsMatch(question.Right, "^(were|are|have) ");
            var subject = Regex.Match(question.Given, @"^The (?:(?:little|big|red|old|pretty|funny) )?(\w+)( and the \w+)?");
            (subject.Groups[1].Value.EndsWith('s') || subject.Groups[2].Success).ShouldBe(plural, question.Given);
        }
    }

    [Fact]
    public void Write_TooLittleText_NamesTheTaskAndLeavesNothing()
    {
        var exception = Should.Throw<WiscaException>(() => StoryTasks.Write(Stories.Take(3), _folder["none"], 2000, 1));
        exception.Message.ShouldContain("questions for stories_continuation, expected 2000");
        exception.Hint!.ShouldContain("--items");
        Path.Exists(_folder["none"]).ShouldBeFalse();
        Directory.CreateDirectory(_folder["there"]);
        Should.Throw<WiscaException>(() => StoryTasks.Write(Stories, _folder["there"], 1, 1)).Message.ShouldContain("exists already");
    }
}
