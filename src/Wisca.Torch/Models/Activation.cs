namespace Wisca.Torch.Models;

/// <summary>The non-linearity of a feed-forward layer.</summary>
public enum Activation
{
    /// <summary>x sigmoid(x); <c>silu</c> and <c>swish</c> in configurations.</summary>
    Silu,

    /// <summary>x Phi(x) with the exact normal distribution function; <c>gelu</c>.</summary>
    Gelu,

    /// <summary>Gelu by its tanh approximation; <c>gelu_new</c> and <c>gelu_pytorch_tanh</c>.</summary>
    GeluTanh,

    /// <summary>max(x, 0); <c>relu</c>.</summary>
    Relu,
}
