using Wisca.Communication;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Ranks;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Wisca.Transitions;

namespace Wisca.Training.Tests.Ranks;

/// <summary>Steps of several ranks against those of one, in float64: what differs is the order of sums.</summary>
[Collection(TorchCollection.Name)]
public sealed class SharedGradientsTests
{
    private const int Steps = 30, Sequences = 8, Length = 12;

    [Theory]
    [InlineData("llama", 2, false)]
    [InlineData("llama", 4, false)]
    [InlineData("mixtral", 2, false)]
    [InlineData("mixtral", 4, true)]
    [InlineData("gpt2", 3, true)]
    public void Losses_OfRanks_AreThoseOfOneProcess(string family, int ranks, bool sharded)
    {
        var alone = Train(SingleProcess.Instance, family, false);
        var together = ThreadRanks.Run(ranks, communicator => Train(communicator, family, sharded));
        alone.Losses.Length.ShouldBe(Steps);
        alone.Losses[^1].ShouldBeLessThan(alone.Losses[0]);
        foreach (var rank in together)
        {
            foreach (var (loss, expected) in rank.Losses.Zip(alone.Losses)) loss.ShouldBe(expected, 1e-12 * expected);
            rank.Weights.ShouldBe(together[0].Weights);
        }
    }

    [Fact]
    public void SharedState_GivesTheSameBits()
    {
        var plain = ThreadRanks.Run(2, communicator => Train(communicator, "llama", false))[0];
        var sharded = ThreadRanks.Run(2, communicator => Train(communicator, "llama", true));
        foreach (var rank in sharded)
        {
            rank.Losses.ShouldBe(plain.Losses);
            rank.Weights.ShouldBe(plain.Weights);
        }

        // Each keeps some of the state, and both together keep it once.
        sharded.Select(rank => rank.Kept).ShouldAllBe(kept => kept > 0);
        sharded.Sum(rank => rank.Kept).ShouldBe(plain.Kept);
    }

    [Fact]
    public void TwoRunsOfRanks_GiveTheSameBits()
    {
        var first = ThreadRanks.Run(2, communicator => Train(communicator, "mixtral", false))[0];
        var again = ThreadRanks.Run(2, communicator => Train(communicator, "mixtral", false))[0];
        again.Losses.ShouldBe(first.Losses);
        again.Weights.ShouldBe(first.Weights);
    }

    private static Run Train(ICommunicator communicator, string family, bool sharded)
    {
        using var model = TinyFamilies.Create(family);
        var parameters = model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        using var optimizer = new AdamW(parameters);
        if (sharded) optimizer.Shard(communicator);
        var buckets = communicator.Size == 1 ? null : new GradientBuckets(communicator, parameters, 4096);
        using var shared = buckets is null ? null : new SharedGradients(communicator, buckets);
        var options = new WiscaOptions
        {
            Transitions = new TransitionOptions
            {
                QueryKey = Granularity.KvHead, ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.None),
            },
            Trigger = new WiscaTrigger { AtStart = false, Every = 20 },
        };
        var scheduler = new WiscaScheduler(
            parameters, WiscaScheduler.PlanFor(parameters, model.Config.Source!, options.Transitions), options, optimizer);
        long[] ids = [.. TinyFamilies.Tokens(2 * Sequences * (Length + 1)).Select(id => (long)id)];
        double[] losses = new double[Steps];
        for (int step = 0; step < Steps; step++)
        {
            // Rows have different numbers of targets: an average of the ranks' averages would be another loss.
            optimizer.ZeroGradients();
            var (loss, auxiliary) = BatchGradients.Add(model, [Batch(ids, 0), Batch(ids, Sequences)], shared);
            optimizer.ClipGradients(1);
            optimizer.Step(1e-3);
            losses[step] = loss + auxiliary;
            scheduler.Step(step + 1);
        }

        return new Run(
            losses,
            [.. parameters.SelectMany(entry => entry.parameter.detach().contiguous().data<double>().ToArray())],
            parameters.Sum(entry => optimizer.StateOf(entry.name).Count));
    }

    private static TrainingBatch Batch(long[] ids, int first)
    {
        long[][] sequences = [.. ids.Chunk(Length + 1).Skip(first).Take(Sequences)];
        return new TrainingBatch(
            [.. sequences.SelectMany(sequence => sequence[..Length])],
            [
                .. sequences.SelectMany((sequence, row) =>
                    sequence[1..].Select((id, place) => place > row ? id : Decoder.IgnoredTarget)),
            ],
            Sequences);
    }

    private sealed record Run(double[] Losses, double[] Weights, int Kept);
}
