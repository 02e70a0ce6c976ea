using TorchSharp.Modules;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Lora;

/// <summary>The factors of one module. Letters: D inputs, E outputs, r rank.</summary>
internal sealed class LowRankLayer : ILayerAdapter, IDisposable
{
    private readonly LoraModel _owner;

    public LowRankLayer(LoraModel owner, string name, DenseLayer layer, int rank, double scale, bool dora)
    {
        (_owner, Name, Layer, Rank, Scale) = (owner, name, layer, rank, scale);
        var weight = layer.Weight;
        var type = NormLayer.AtLeastFloat32(weight.dtype);
        (Outputs, Inputs) = layer.Transposed ? (weight.shape[1], weight.shape[0]) : (weight.shape[0], weight.shape[1]);
        A = New(rank, Inputs);
        B = New(Outputs, rank);
        if (dora) Magnitude = New(Outputs);

        Parameter New(params long[] shape) => new(zeros(shape, type, weight.device).DetachFromDisposeScope());
    }

    /// <summary>The module's path in the decoder.</summary>
    public string Name { get; }

    public DenseLayer Layer { get; }

    public int Rank { get; }

    public double Scale { get; }

    public long Inputs { get; }

    public long Outputs { get; }

    /// <summary>[r, D].</summary>
    public Parameter A { get; }

    /// <summary>[E, r].</summary>
    public Parameter B { get; }

    /// <summary>[E], DoRA's lengths; null without it.</summary>
    public Parameter? Magnitude { get; }

    /// <summary>[E], a bias of B's own; null without one.</summary>
    public Tensor? Bias { get; set; }

    /// <summary>The factors that were taken out of the base (PiSSA, OLoRA); null where it is whole.</summary>
    public (Tensor A, Tensor B)? Initial { get; set; }

    /// <summary>The base's matrix as it was before <see cref="LoraModel.Merge"/>; null where nothing is merged.</summary>
    public Tensor? Unmerged { get; set; }

    /// <summary>The trained tensors with PEFT's names for them.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Parameters
    {
        get
        {
            yield return ($"{Name}.lora_A.weight", A);
            yield return ($"{Name}.lora_B.weight", B);
            if (Magnitude is not null) yield return ($"{Name}.lora_magnitude_vector", Magnitude);
        }
    }

    /// <summary>
    /// x W^T + b + scale x A^T B^T. With magnitudes each output but the bias is multiplied by m / |row of W + scale B A|, a length that no
    /// gradient goes through (DoRA, section 4.3). The factors compute in their own type, which is at least float32.
    /// </summary>
    public Tensor Forward(Tensor input, Tensor weight_ED, Tensor? bias)
    {
        var result = MatrixProduct.Linear(input, weight_ED, bias);
        if (Unmerged is not null) return result;
        var dropped = _owner.Drop(input.to(A.dtype));
        var low = nn.functional.linear(nn.functional.linear(dropped, A), B, Bias).Times(Scale);
        if (Magnitude is null) return result.Plus(low).to(result.dtype);
        var factor = Magnitude / Lengths();
        Tensor product = _owner.Drops ? MatrixProduct.Linear(dropped.to(input.dtype), weight_ED, null)
            : bias is null ? result
            : result - bias.to(result.dtype);
        return result.Plus(factor.Plus(-1) * product).Plus(factor * low).to(result.dtype);
    }

    /// <summary>scale B A, [E, D].</summary>
    public Tensor Delta() => B.matmul(A).Times(Scale);

    /// <summary>The base's matrix as [E, D] in the factors' type.</summary>
    public Tensor Base() => (Layer.Transposed ? Layer.Weight.t() : Layer.Weight).to(A.dtype);

    /// <summary>The length of each row of W + scale B A, without gradients.</summary>
    public Tensor Lengths()
    {
        using var ungraded = no_grad();
        return linalg.norm(Base().Plus(Delta()), 2, [1], false);
    }

    /// <summary>Puts a matrix [E, D] into the base, rounded to its type.</summary>
    public void Store(Tensor matrix_ED) => Layer.Weight.copy_(Layer.Transposed ? matrix_ED.t() : matrix_ED);

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
        Magnitude?.Dispose();
        Bias?.Dispose();
        Initial?.A.Dispose();
        Initial?.B.Dispose();
        Unmerged?.Dispose();
    }
}
