using Wisca.Attention;
using Wisca.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// The mean next-token loss of a model on fixed windows of text, in nats. It leaves out what a mixture of experts adds in training to
/// keep its experts in use; where a router's choice flips, that loss has no derivatives, and those of the present choice are taken.
/// </summary>
public sealed class DecoderObjective : AutogradObjective, IDisposable
{
    private const int TokensPerPass = 1024;

    private readonly Decoder _model;
    private readonly Tensor _windows;

    /// <param name="model">The model; it is set to eager attention, the only one with second derivatives. It stays the caller's.</param>
    /// <param name="windows">What it reads and predicts.</param>
    /// <exception cref="WiscaException">The text is not of the model's vocabulary, or a window is longer than its positions.</exception>
    public DecoderObjective(Decoder model, TokenWindows windows)
        : base(
            new ParameterSpace(
                (model ?? throw new ArgumentNullException(nameof(model)))
                    .named_parameters()
                    .Select(entry => (entry.name, (Tensor)entry.parameter))),
            (windows ?? throw new ArgumentNullException(nameof(windows))).Count,
            Math.Max(1, TokensPerPass / windows.Length))
    {
        if (windows.Largest >= model.Config.VocabularySize)
            throw new WiscaException(
                $"token {windows.Largest} is not below the model's vocabulary of {model.Config.VocabularySize}",
                "the tokenizer belongs to another model");
        if (windows.Length > model.Config.MaxPositions)
            throw new WiscaException(
                $"windows of {windows.Length} tokens, but the model was made for {model.Config.MaxPositions} positions",
                $"ask for at most {model.Config.MaxPositions}");
        (_model, Windows) = (model, windows);
        model.AttentionPath = AttentionPath.Eager;
        _windows = tensor(windows.Ids, device: model.Device).view(windows.Count, windows.Length + 1).DetachFromDisposeScope();
    }

    /// <summary>What the model reads and predicts.</summary>
    public TokenWindows Windows { get; }

    /// <summary>The axis that numbers a matrix's filters, the weights of one output: 0 for rows, 1 for columns (GPT-2's Conv1D).</summary>
    public int FilterAxis(string parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return
            _model.Config.Attention.Orientation == Orientation.Conv1D
            && parameter.StartsWith($"{_model.Config.Names.Root}.{_model.Config.Names.Layers}.", StringComparison.Ordinal)
            ? 1
            : 0;
    }

    /// <inheritdoc />
    public void Dispose() => _windows.Dispose();

    /// <inheritdoc />
    protected override Tensor LossOf(int first, int count)
    {
        var windows = _windows.narrow(0, first, count);
        var loss = _model.Loss(windows.narrow(1, 0, Windows.Length), windows.narrow(1, 1, Windows.Length));
        return loss.Sum.Over(Windows.Tokens);
    }
}
