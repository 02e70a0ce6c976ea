using System.Collections.Immutable;
using Wisca.Checkpoints;

namespace Wisca.Rescaling;

/// <summary>What an undo gave back.</summary>
/// <param name="Moves">Number of moves that were undone.</param>
/// <param name="BitExactTensors">Tensors whose bytes are again those before the first move, by digest.</param>
/// <param name="RoundedTensors">Tensors that are back to rounding: a factor was not a power of two, or they were rotated.</param>
/// <param name="TrainedTensors">
/// Tensors whose bytes had changed since a move: they were trained (or edited), and keep what they learned in the original gauge.
/// </param>
/// <param name="SideFiles">Which other files went along, and which did not.</param>
public sealed record UndoResult(
    int Moves,
    ImmutableArray<string> BitExactTensors,
    ImmutableArray<string> RoundedTensors,
    ImmutableArray<string> TrainedTensors,
    SideFiles SideFiles);
