using System.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Evaluation.Scoring;
using Wisca.Torch.Models;

namespace Wisca.Cli.CommandLine;

/// <summary>What every evaluation is asked for, whatever it measures.</summary>
internal sealed record EvaluationOptions
{
    public required string Model { get; init; }

    public required ComputePrecision Precision { get; init; }

    public required int Threads { get; init; }

    public required ScoringOptions Scoring { get; init; }

    /// <summary>At most so many documents or items; null for all.</summary>
    public long? Limit { get; init; }

    /// <summary>The file of the result; null for none.</summary>
    public string? Output { get; init; }

    public bool Force { get; init; }

    public bool Json { get; init; }

    /// <summary>The symbols on a command line, and how they are read.</summary>
    internal sealed class Symbols
    {
        private readonly Option<string> _dtype = new("--dtype")
        {
            Description = "The type to compute in; native: the stored one.",
            HelpName = "TYPE",
            DefaultValueFactory = _ => ComputePrecision.F32.Name(),
        };
        private readonly Option<int> _batchSize = SharedOptions.Number(
            "--batch-size", "Sequences that go through the model together (default: 32).", "N", 1, 1 << 20);
        private readonly Option<int> _maxLength = SharedOptions.Number(
            "--max-length", "At most so many tokens before a predicted one (default: the model's positions).", "N", 1, 1 << 24);
        private readonly Option<string> _bos = new("--add-bos")
        {
            Description =
                "What the tokenizer puts around a text, mostly BOS in front, goes around contexts: auto: as the tokenizer does; yes; no: "
                + "as the harness did before 0.4.10.",
            HelpName = "auto|yes|no",
            DefaultValueFactory = _ => "auto",
        };
        private readonly Option<long> _limit = SharedOptions.Number(
            "--limit", "At most so many documents or items.", "N", 1L, long.MaxValue);
        private readonly Option<int> _threads = SharedOptions.Threads();
        private readonly Option<string?> _output = new("--out", "-o")
        {
            Description = "Also write the result as JSON, which appears when it is complete: to this file; for tasks also to a folder.",
            HelpName = "FILE",
        };
        private readonly Option<bool> _force = new("--force") { Description = "Replace an existing file of results." };
        private readonly Option<bool> _json = SharedOptions.Json();
        private readonly Argument<string> _model = SharedOptions.Model();

        public Symbols()
        {
            _model.Arity = ArgumentArity.ZeroOrOne;
            _batchSize.Aliases.Add("--batch_size");
            _output.Aliases.Add("--output_path");
            _dtype.AcceptOnlyFromAmong(ComputePrecision.F32.Name(), ComputePrecision.F64.Name(), ComputePrecision.Native.Name());
            _bos.AcceptOnlyFromAmong("auto", "yes", "no");
        }

        public void AddTo(Command command)
        {
            command.Add(_model);
            foreach (Option option in (Option[])[_limit, _batchSize, _maxLength, _bos, _dtype, _threads, _output, _force, _json])
                command.Add(option);
        }

        public EvaluationOptions Read(ParseResult parsed) => new()
        {
            Model = parsed.GetValue(_model) ?? throw new UsageException("no MODEL is given"),
            Precision = EnumNames.Parse<ComputePrecision>(parsed.GetValue(_dtype)!),
            Threads = parsed.GetValue(_threads),
            Scoring = new ScoringOptions
            {
                BatchSize = parsed.GetResult(_batchSize) is null ? new ScoringOptions().BatchSize : parsed.GetValue(_batchSize),
                MaxLength = parsed.GetResult(_maxLength) is null ? null : parsed.GetValue(_maxLength),
                AddSpecialTokens = parsed.GetValue(_bos) switch { "yes" => true, "no" => false, _ => null },
            },
            Limit = parsed.GetResult(_limit) is null ? null : parsed.GetValue(_limit),
            Output = parsed.GetValue(_output),
            Force = parsed.GetValue(_force),
            Json = parsed.GetValue(_json),
        };
    }
}
