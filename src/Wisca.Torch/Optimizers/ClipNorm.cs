namespace Wisca.Torch.Optimizers;

/// <summary>The norm of all gradients that clipping looks at.</summary>
public enum ClipNorm
{
    /// <summary>Of the gradients: the usual one. It differs between equivalent models, and so does what is shortened.</summary>
    Gradient,

    /// <summary>Of gradient times weight, element by element: the gradient with respect to the logarithms of the weights.
    /// It is the same for all models that scalings make equivalent.</summary>
    Relative,
}
