using Wisca.Data.Corpora;
using Wisca.Data.Instructions;
using Wisca.Data.Tokenizers;
using Wisca.Training.Batches;
using Wisca.Training.Configuration;

namespace Wisca.Training.Finetuning;

/// <summary>The examples of a fine-tuning.</summary>
internal sealed class InstructionData : TrainingData
{
    // Held-out examples were chosen by hash 0, and are all on one side of it.
    private const long TestHash = 1;

    private InstructionData(
        FinetuneConfig config, Tokenizer tokenizer, InstructionSet training, InstructionSet heldOut, InstructionSet? test)
        : base(tokenizer)
    {
        Batches = new InstructionBatches(
            new InstructionRows(training.Examples, config.Data.Packing ? config.Data.SequenceLength : null, config.Seed));
        HeldOut = Evaluator(heldOut);
        Test = test is null ? null : Evaluator(test);

        CompletionEvaluator Evaluator(InstructionSet set) => new(set.Examples, config.BatchSize, config.Evaluation.Tokens);
    }

    public override IBatchSource Batches { get; }

    public override IHeldOutEvaluator HeldOut { get; }

    public override IHeldOutEvaluator? Test { get; }

    public static InstructionData Prepare(FinetuneConfig config, Tokenizer tokenizer, Action<string> notice, CancellationToken cancellation)
    {
        var section = config.Data;
        if (section.Train.Count == 0)
            throw new WiscaException(
                "data.train names no examples",
                "name files of instructions: data: {train: [FILE]}, or --set data.train=[FILE]");
        var reader = new InstructionReader(new InstructionReaderOptions
        {
            Format = section.Format,
            PromptKey = section.PromptKey,
            CompletionKey = section.CompletionKey,
            DropsEmpty = section.Empty == EmptyAnswers.Drop,
        });
        var all = Read(section.Train);
        var template = section.Template is { } name ? InstructionTemplate.Find(name) : InstructionTemplate.For(reader.Format);
        var (training, heldOut) =
            section.HeldOutShare > 0 ? InstructionSet.Split(all, section.HeldOutShare) : (all, Read(section.Validation));
        IReadOnlyList<Instruction>? test = section.Test.Count > 0 ? Read(section.Test) : null;
        if (section.TestShare is { } share) (heldOut, test) = InstructionSet.Split(heldOut, share, TestHash);
        if (reader.Dropped > 0) notice($"{reader.Dropped} examples with an empty answer are left out");
        if (reader.Untrained > 0) notice($"{reader.Untrained} examples are left out: their data says to train on none of their answers");
        foreach (var example in training.Concat(heldOut).Concat(test ?? [])) reader.Count(example, template);
        foreach (string unused in reader.Unused.Describe()) notice(unused);
        var encoder = new InstructionEncoder(tokenizer, template);
        if (tokenizer.EosId is null && template.EndMarker is null)
            notice("the tokenizer has no EOS: answers have no end that could be learned");
        var data = new InstructionData(
            config,
            tokenizer,
            Encode("to train on", training),
            Encode("held out", heldOut),
            test is null ? null : Encode("for the test", test));
        notice(
            $"template {template.Name}; {data.Batches.SequencesPerEpoch} "
            + $"rows{(section.Packing ? $" of up to {section.SequenceLength} tokens" : "")} an epoch");
        return data;

        List<Instruction> Read(IReadOnlyList<string> sources)
        {
            var examples = new List<Instruction>();
            foreach (var file in CorpusReader.Open(sources).Files)
            {
                cancellation.ThrowIfCancellationRequested();
                examples.AddRange(reader.Read(file.Path, cancellation));
            }

            return examples;
        }

        InstructionSet Encode(string what, IReadOnlyList<Instruction> examples)
        {
            cancellation.ThrowIfCancellationRequested();
            if (examples.Count == 0)
                throw new WiscaException(
                    $"there are no examples {what}",
                    "give more of them, or change data.held_out or data.test_share, or name data.validation");
            var set = InstructionSet.Encode(examples, encoder, section.SequenceLength, section.TooLong == OverlongExamples.Truncate);
            if (set.Examples.Count == 0)
                throw new WiscaException(
                    $"none of the {examples.Count} examples {what} has an answer within {section.SequenceLength} tokens",
                    "raise data.sequence_length");
            notice(
                $"{set.Examples.Count} examples {what}, {set.Targets} tokens of answers"
                + (set.Truncated > 0 ? $"; {set.Truncated} lost their end" : "")
                + (set.Dropped > 0 ? $"; {set.Dropped} are too long and left out" : ""));
            return set;
        }
    }
}
