using CsCheck;
using Wisca.Evaluation.Scoring;

namespace Wisca.Evaluation.Tests.Scoring;

public sealed class RollingWindowsTests
{
    private const int Prefix = -1;

    [Fact]
    public void Cut_ExampleOfTheHarness_GivesItsWindows()
    {
        // Ten tokens, four positions: 0-3 behind the prefix, 4-7 behind 3, and 8 and 9 behind 5, 6, 7.
        Windows(10, 4, 4).ShouldBe(["-1 > 0 1 2 3", "3 > 4 5 6 7", "5 6 7 > 8 9"]);

        // Nine tokens, three positions, two of them context: two new tokens a window.
        Windows(9, 3, 2).ShouldBe(["-1 > 0 1 2", "1 2 > 3 4", "3 4 > 5 6", "5 6 > 7 8"]);
        Windows(3, 4, 4).ShouldBe(["-1 > 0 1 2"]);
        Windows(0, 4, 4).ShouldBeEmpty();
    }

    [Fact]
    public void Cut_AnyLengths_GivesEachTokenWhatTheDefinitionGivesIt() =>
        (
            from count in Gen.Int[0, 60]
            from length in Gen.Int[1, 20]
            from stride in Gen.Int[1, length]
            select (count, length, stride)
        ).Sample(
            (count, length, stride) =>
            {
                int[] tokens = [.. Enumerable.Range(100, count)];
                var given = new List<int[]>();
                foreach (var (context, continuation) in RollingWindows.Cut(tokens, Prefix, length, stride))
                {
                    (context.Length + continuation.Length - 1).ShouldBeLessThanOrEqualTo(length);
                    for (int i = 0; i < continuation.Length; i++)
                        given.Add([.. context, .. continuation[..i], continuation[i]]);
                }

                given.Count.ShouldBe(count);
                for (int i = 0; i < count; i++)
                    given[i].ShouldBe(Definition(tokens, i, length, stride));
            });

    /// <summary>What stands before token i and the token itself:
    /// of the first window all from the prefix on, of any other all from its beginning on.</summary>
    internal static int[] Definition(int[] tokens, int i, int length, int stride, int prefix = Prefix)
    {
        int[] text = [prefix, .. tokens];
        if (i < length) return text[..(i + 2)];
        int end = Math.Min(tokens.Length, length + ((((i - length) / stride) + 1) * stride));
        return text[(end - length)..(i + 2)];
    }

    private static string[] Windows(int count, int length, int stride) =>
        [
            .. RollingWindows
                .Cut([.. Enumerable.Range(0, count)], Prefix, length, stride)
                .Select(window => $"{string.Join(' ', window.Context)} > {string.Join(' ', window.Continuation)}"),
        ];
}
