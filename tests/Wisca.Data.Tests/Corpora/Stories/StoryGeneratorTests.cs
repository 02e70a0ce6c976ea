using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Wisca.Data.Corpora.Stories;

namespace Wisca.Data.Tests.Corpora.Stories;

public sealed partial class StoryGeneratorTests
{
    private const int Many = 20_000;
    private const int Some = 2_000;
    private static readonly Lazy<string[]> Stories = new(() => [.. new StoryGenerator(7).Stories().Take(Many)]);

    [Theory]
    [InlineData(0, "b02b31ae7c61d46d75c98f235f7cbd30eb6de2ca27ab4d3755a606afd23818f5")]
    [InlineData(1, "5cd382a17d0bd3a44e90cbdcbfcb89f752a7d3110d12e7448e709ccd6770d4b2")]
    [InlineData(ulong.MaxValue, "cf433ea352b0c262068c830c685da69490d20ede23c2d7cf9f49976bc630b643")]
    public void Story_KnownSeed_NeverChanges(ulong seed, string sha256)
    {
        // A change of the grammar changes these; a change of the runtime or of the machine must not.
        string stories = string.Join('\n', new StoryGenerator(seed).Stories().Take(100));
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(stories))).ShouldBe(sha256);
    }

    [Fact]
    public void Story_AnyOrderAndThread_DependsOnSeedAndIndexOnly()
    {
        string[] backwards = new string[Some];
        Parallel.For(0, Some, index => backwards[Some - 1 - index] = new StoryGenerator(7).Story(Some - 1 - index));
        backwards.ShouldBe(Stories.Value.Take(Some));
        new StoryGenerator(7).Stories(first: 5).First().ShouldBe(Stories.Value[5]);
        new StoryGenerator(8).Story(0).ShouldNotBe(Stories.Value[0]);
    }

    [Fact]
    public void Story_HugeIndex_IsAStory() => new StoryGenerator(0).Story(long.MaxValue).ShouldNotBeEmpty();

    [Fact]
    public void Story_NegativeIndex_IsRefused() => Should.Throw<ArgumentOutOfRangeException>(() => new StoryGenerator(0).Story(-1));

    [Fact]
    public void Stories_Many_AreDistinctAndUseManyWords()
    {
        Stories.Value.Distinct().Count().ShouldBeGreaterThan(Many - (Many / 1000));
        Stories
            .Value.SelectMany(story => Word().Matches(story).Select(match => match.Value.ToLowerInvariant()))
            .Distinct()
            .Count()
            .ShouldBeGreaterThan(2000);
    }

    [Fact]
    public void Stories_OfTwoSeeds_HaveNoneInCommon() =>
        new StoryGenerator(8).Stories().Take(Many).Intersect(Stories.Value).Count().ShouldBeLessThan(Many / 1000);

    [Fact]
    public void Stories_Some_AreWellFormed()
    {
        foreach (string story in Stories.Value.Take(Some))
        {
            Malformed().Match(story).Value.ShouldBe("", story);
            story.Length.ShouldBeInRange(400, 2500, story);
            foreach (string paragraph in story.Split('\n'))
            {
                (paragraph.Count(letter => letter == '"') % 2).ShouldBe(0, paragraph);
                char.IsUpper(paragraph.TrimStart('"')[0]).ShouldBeTrue(paragraph);
                paragraph[^1].ShouldBeOneOf('.', '!', '?', '"');
            }
        }
    }

    [Fact]
    public void Stories_Some_Agree()
    {
        foreach (string story in Stories.Value.Take(Some)) Disagreement().Match(story).Value.ShouldBe("", story);
    }

    [Theory]
    [InlineData("She saw a apple.")]
    [InlineData("She saw an bear.")]
    [InlineData("They was there.")]
    [InlineData("It were gone.")]
    [InlineData("He saw the the dog.")]
    public void Disagreement_WrongSentence_IsFound(string sentence) => Disagreement().IsMatch(sentence).ShouldBeTrue();

    [Fact]
    public void Stories_Some_KeepTheColorOfEachThing()
    {
        foreach (string story in Stories.Value.Take(Some))
        {
            var colors = Colored().Matches(story).Select(match => (Color: match.Groups[1].Value, Thing: match.Groups[2].Value)).Distinct();
            foreach (var thing in colors.GroupBy(pair => pair.Thing)) thing.Count().ShouldBe(1, $"{thing.Key}: {story}");
        }
    }

    [Fact]
    public void Stories_AboutGirlsAndBoys_KeepTheGenderOfEachName()
    {
        int seen = 0;
        foreach (string story in Stories.Value.Take(Some))
        {
            foreach (Match match in Introduced().Matches(story))
            {
                seen++;
                var (name, girl) = (match.Groups[2].Value, match.Groups[1].Value == "girl");
                Regex.IsMatch(story, $@"\b{name} (?:was so happy|felt|knew) that {(girl ? "he" : "she")}\b").ShouldBeFalse(story);
                Regex.IsMatch(story, $@"named {name}[^.]*\. (?:{(girl ? "He|His" : "She|Her")}) ").ShouldBeFalse(story);
            }
        }

        seen.ShouldBeGreaterThan(Some / 4);
    }

    [Fact]
    public void Stories_Many_ComeFast()
    {
        var generator = new StoryGenerator(3);
        foreach (string _ in generator.Stories().Take(2000))
        {
            // Until the code is compiled for speed.
        }

        var watch = Stopwatch.StartNew();
        long characters = generator.Stories().Take(5000).Sum(story => (long)story.Length);

        // More than ten times as fast on an idle machine.
        (characters / watch.Elapsed.TotalSeconds).ShouldBeGreaterThan(1e6);
        TestContext.Current.TestOutputHelper!.WriteLine($"{characters / watch.Elapsed.TotalSeconds / 1e6:0.0} MB/s");
    }

    [GeneratedRegex("[A-Za-z]+")]
    private static partial Regex Word();

    [GeneratedRegex(@"[^ -~\n]|[{}\[\]|#*_=<>/]|  | [.,!?\n]|\n |\n\n|[.!?] [a-z]|[,.] ?[,.]|""""|\A""?[a-z]|\n""?[a-z]")]
    private static partial Regex Malformed();

    [GeneratedRegex(
        @"\b[Aa] (?!one|uni|use)[aeiou]\w*|\b[Aa]n (?!hour)[^aeiouAEIOU]\w*"
        + @"|\b([Tt]hey|[Ww]e|[Yy]ou) (is|was|has)\b|\b([Hh]e|[Ss]he|[Ii]t) (are|were|have)\b|\b([A-Za-z]+) \5\b")]
    private static partial Regex Disagreement();

    [GeneratedRegex(@"\b(red|blue|green|yellow|orange|purple|white|pink|gray|brown|silver|black) ((?!had\b|was\b|and\b)[a-z-]+)")]
    private static partial Regex Colored();

    [GeneratedRegex(@"\b(girl|boy) named ([A-Z][a-z]+)")]
    private static partial Regex Introduced();
}
