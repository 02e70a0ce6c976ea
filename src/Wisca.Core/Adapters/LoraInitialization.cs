namespace Wisca.Adapters;

/// <summary>How the factors of a new adapter start: PEFT's <c>init_lora_weights</c>.</summary>
public enum LoraInitialization
{
    /// <summary>A even in +-1/sqrt(inputs) (Kaiming with a = sqrt 5), B zero; <c>true</c>.</summary>
    Default,

    /// <summary>A normal with standard deviation 1/r, B zero; <c>gaussian</c>.</summary>
    Gaussian,

    /// <summary>
    /// The r largest singular triples of the base, W = U S V^T: B = U sqrt(S), A = sqrt(S) V^T (over the scale); the base keeps the rest
    /// (Meng et al., PiSSA, arXiv 2404.02948); <c>pissa</c>.
    /// </summary>
    Pissa,

    /// <summary>The first r columns and rows of W = Q R: B = Q, A = R;
    /// the base keeps the rest (Büyükakyüz, OLoRA, arXiv 2406.01775); <c>olora</c>.</summary>
    Olora,

    /// <summary>Another way of PEFT's, kept as it is. It matters to a training only, unless it changes the base.</summary>
    Other,
}
