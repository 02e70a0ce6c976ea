using Wisca.Data.Instructions;
using Wisca.Torch.Models;
using Wisca.Training.Batches;

namespace Wisca.Training.Finetuning;

/// <summary>Batches of examples, of which only the answers' tokens are targets.</summary>
internal sealed class InstructionBatches(InstructionRows rows) : IBatchSource
{
    public long SequencesPerEpoch => rows.RowsPerEpoch;

    public TrainingBatch Read(long position, int sequences) =>
        Lay([.. Enumerable.Range(0, sequences).Select(index => rows[position + index])]);

    /// <summary>Lays rows beside each other, filled up behind to the longest.</summary>
    public static TrainingBatch Lay(IReadOnlyList<IReadOnlyList<EncodedInstruction>> rows)
    {
        int width = rows.Max(row => row.Sum(example => example.Length));
        long[] ids = new long[rows.Count * width],
            targets = new long[ids.Length],
            positions = new long[ids.Length],
            examples = new long[ids.Length];
        Array.Fill(targets, Decoder.IgnoredTarget);

        // What fills up sees and is seen by nothing but itself.
        Array.Fill(examples, -1);
        for (int row = 0; row < rows.Count; row++)
        {
            int at = row * width, number = 0;
            foreach (var example in rows[row])
            {
                number++;
                for (int i = 0; i < example.Length; i++, at++)
                {
                    (ids[at], positions[at], examples[at]) = (example.Ids[i], i, number);
                    if (example.Counts[i + 1]) targets[at] = example.Ids[i + 1];
                }
            }
        }

        var batch = new TrainingBatch(ids, targets, rows.Count);
        return rows.All(row => row.Count == 1) ? batch : batch with { Positions = positions, Examples = examples };
    }
}
