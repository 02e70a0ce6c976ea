using CsCheck;
using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

public sealed class WindowSamplerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Locate_AnEpoch_LaysEachWindowOnceSideBySide() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 600], Gen.Long, Gen.Long[0, 1000]).Sample(
            (length, extra, seed, epoch) =>
            {
                using var file = Create(length + extra);
                var sampler = new WindowSampler(file, length, seed);
                var places = Enumerable
                    .Range(0, (int)sampler.WindowsPerEpoch)
                    .Select(i => sampler.Locate((epoch * sampler.WindowsPerEpoch) + i))
                    .ToArray();
                places.ShouldAllBe(place => place.Epoch == epoch);
                long[] starts = [.. places.Select(place => place.Start).Order()];
                for (int i = 1; i < starts.Length; i++) (starts[i] - starts[i - 1]).ShouldBe(length);
                starts[0].ShouldBeGreaterThanOrEqualTo(0);
                starts[^1].ShouldBeLessThanOrEqualTo(file.Count - length - 1);

                // Fewer than two windows of targets are left out.
                (file.Count - 1 - (starts.Length * length)).ShouldBeLessThan(2 * length);
            },
            iter: 150,
            threads: 1);

    [Fact]
    public void Read_Window_IsThatOfTheFile()
    {
        using var file = Create(1000);
        var sampler = new WindowSampler(file, 16, seed: 5);
        long[] ids = new long[17];
        for (long position = 0; position < 200; position++)
        {
            sampler.Read(position, ids);
            long start = sampler.Locate(position).Start;
            ids.ShouldBe(Enumerable.Range((int)start, 17).Select(id => (long)id)); // the file's ids are their own indices
        }

        Should.Throw<ArgumentOutOfRangeException>(() => sampler.Read(0, new long[16]));
        Should.Throw<ArgumentOutOfRangeException>(() => sampler.Read(-1, ids));
        sampler.Read(long.MaxValue, ids);
    }

    [Fact]
    public void Read_SameSeed_IsTheSameStreamFromAnyPosition()
    {
        using var file = Create(5000);
        long[] stream = Starts(new WindowSampler(file, 8, seed: 3), 0, 2000);
        Starts(new WindowSampler(file, 8, seed: 3), 1234, 300).ShouldBe(stream[1234..1534]);
        Starts(new WindowSampler(file, 8, seed: 4), 0, 2000).ShouldNotBe(stream);
    }

    [Fact]
    public void Locate_KnownSeed_NeverChanges()
    {
        // Checkpoints store positions: another order would make a resumed run another run.
        using var file = Create(1001);
        Starts(new WindowSampler(file, 10, seed: 42), 0, 6).ShouldBe(Golden);
        Starts(new WindowSampler(file, 10, seed: 42), 99, 3).ShouldBe(GoldenNext);
    }

    // From a program of its own, in another language, on unbounded integers.
    private static readonly long[] Golden = [179, 109, 829, 919, 689, 369], GoldenNext = [567, 607, 77];

    [Fact]
    public void Locate_TwoEpochs_DifferInOrderAndOffset()
    {
        using var file = Create(10_000);
        var sampler = new WindowSampler(file, 50, seed: 0);
        int windows = (int)sampler.WindowsPerEpoch;
        long[][] epochs = [.. Enumerable.Range(0, 200).Select(epoch => Starts(sampler, (long)epoch * windows, windows))];
        epochs.Select(starts => string.Join(',', starts.Select(start => start / 50))).Distinct().Count().ShouldBe(200);
        int[] offsets = [.. epochs.Select(starts => (int)(starts[0] % 50))];
        offsets.Distinct().Count().ShouldBeGreaterThan(40); // 200 draws of 50 leave out about one

        // Neighbours in one order are no neighbours in the next: about one pair a permutation stays, for two neighbours of random order.
        int kept = epochs
            .Zip(epochs.Skip(1))
            .Sum(pair =>
                pair.First.Zip(pair.First.Skip(1))
                    .Count(next =>
                        Math.Abs(
                            Array.FindIndex(pair.Second, s => s / 50 == next.First / 50)
                                - Array.FindIndex(pair.Second, s => s / 50 == next.Second / 50)
                        ) == 1));
        kept.ShouldBeInRange(199, 199 * 4);
    }

    /// <summary>Fewer targets than two windows: one window an epoch, at every place that it has, the last included.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    public void Locate_OneWindowAnEpoch_ComesToEveryPlace(int spare)
    {
        using var file = Create(9 + 1 + spare);
        var sampler = new WindowSampler(file, 9, seed: 0);
        sampler.WindowsPerEpoch.ShouldBe(1);
        Starts(sampler, 0, 200).Distinct().Order().ShouldBe(Enumerable.Range(0, spare + 1).Select(start => (long)start));
    }

    [Fact]
    public void Open_ShorterThanOneWindow_IsAnError()
    {
        using var file = Create(10);
        new WindowSampler(file, 9, seed: 0).WindowsPerEpoch.ShouldBe(1);
        Should
            .Throw<WiscaException>(() => new WindowSampler(file, 10, seed: 0))
            .Message.ShouldContain("has 10 tokens, fewer than one window of 10");
    }

    private static long[] Starts(WindowSampler sampler, long from, int count) =>
        [.. Enumerable.Range(0, count).Select(i => sampler.Locate(from + i).Start)];

    private TokenFile Create(int count)
    {
        using (var writer = TokenFileWriter.Create(_folder["a.tokens"], 20_000, new string('0', 32), null, force: true))
        {
            writer.Append([.. Enumerable.Range(0, count)]);
            writer.Commit();
        }

        return TokenFile.Open(_folder["a.tokens"]);
    }
}
