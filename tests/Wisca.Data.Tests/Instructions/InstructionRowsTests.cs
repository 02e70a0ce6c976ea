using CsCheck;
using Wisca.Data.Instructions;

namespace Wisca.Data.Tests.Instructions;

public sealed class InstructionRowsTests
{
    [Fact]
    public void Rows_AnyExamples_HoldEachOnceAnEpochAndNoMoreThanFits() =>
        Gen.Select(Gen.Int[1, 20].Array[1, 40], Gen.Int[20, 50], Gen.Long[0, 1000]).Sample((lengths, length, seed) =>
        {
            EncodedInstruction[] examples = [.. lengths.Select(Example)];
            var rows = new InstructionRows(examples, length, seed);
            for (int epoch = 0; epoch < 2; epoch++)
            {
                var laid = Enumerable.Range(epoch * rows.RowsPerEpoch, rows.RowsPerEpoch).Select(position => rows[position]).ToList();
                laid.SelectMany(row => row).ShouldBe(examples, ignoreOrder: true);
                laid.ShouldAllBe(row => row.Sum(example => example.Length) <= length);

                // No two rows would fit into one: half of the places are in use at least.
                laid.Count(row => row.Sum(example => example.Length) * 2 <= length).ShouldBeLessThan(2);
            }
        }, iter: 200);

    [Fact]
    public void Rows_SeedAndPosition_DecideTheOrder()
    {
        EncodedInstruction[] examples = [.. Enumerable.Range(1, 30).Select(Example)];
        int[] Order(long seed, int from) =>
            [.. Enumerable.Range(from, 30).Select(position => new InstructionRows(examples, null, seed)[position].Single().Length)];
        Order(1, 0).ShouldBe(Order(1, 0));
        Order(1, 0).ShouldNotBe(Order(2, 0));
        Order(1, 0).ShouldNotBe(Order(1, 30));
        Order(1, 30).ShouldBe(Enumerable.Range(1, 30), ignoreOrder: true);
    }

    [Fact]
    public void Split_OtherExamplesBesides_LeavesEachOnItsSide()
    {
        var examples = Enumerable.Range(0, 400).Select(i => InstructionEncoderTests.Of($"prompt {i}", "answer")).ToList();
        var (training, heldOut) = InstructionSet.Split(examples, 0.25);
        training.Concat(heldOut).ShouldBe(examples, ignoreOrder: true);
        heldOut.Count.ShouldBeInRange(60, 140);
        InstructionSet
            .Split(examples.Where((_, index) => index % 3 == 0), 0.25)
            .HeldOut.ShouldBe(heldOut.Where(example => examples.IndexOf(example) % 3 == 0));
    }

    [Fact]
    public void Split_ByAnotherHash_PartsEvenlyWhatOneHasParted()
    {
        var heldOut = InstructionSet
            .Split(Enumerable.Range(0, 2000).Select(i => InstructionEncoderTests.Of($"prompt {i}", "answer")), 0.2)
            .HeldOut;
        var (validation, test) = InstructionSet.Split(heldOut, 0.5, 1);
        validation.Concat(test).ShouldBe(heldOut, ignoreOrder: true);
        ((double)test.Count / heldOut.Count).ShouldBe(0.5, 0.1);
    }

    private static EncodedInstruction Example(int length) =>
        new([.. Enumerable.Range(0, length + 1)], [false, .. Enumerable.Repeat(true, length)]);
}
