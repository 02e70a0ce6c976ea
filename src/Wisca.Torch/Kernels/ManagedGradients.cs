using static TorchSharp.torch;

namespace Wisca.Torch.Kernels;

/// <summary>
/// What the backward functions of our own kernels return. TorchSharp copies the handles of what is returned and forgets the tensors, which
/// would hold every gradient of a pass until the pass ends; here they are let go when the next one is returned.
/// </summary>
internal static class ManagedGradients
{
    [ThreadStatic]
    private static List<Tensor?>? _last;

    /// <summary>The list that a backward function returns: a gradient for each argument, null for what has none.</summary>
    public static List<Tensor> Return(params ReadOnlySpan<Tensor?> gradients)
    {
        foreach (var tensor in _last ?? []) tensor?.Dispose();
        _last = [.. gradients];
        return _last!;
    }
}
