using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Wisca.Rescaling;

namespace Wisca.Checkpoints;

/// <summary>Tells models apart by what they compute, not by where they lie or how their weights are spread over files.</summary>
public static class ModelDigest
{
    /// <summary>A digest (XXH128, 32 hexadecimal digits) of a model's config.json and of name, type, shape and bytes of every tensor. All weights are read.</summary>
    /// <param name="checkpoint">The model.</param>
    public static string Of(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var hash = new XxHash128();
        Add(JsonSerializer.Serialize(checkpoint.Config.Root));
        foreach (var tensor in checkpoint.Tensors.OrderBy(tensor => tensor.Info.Name, StringComparer.Ordinal)) Add($"{tensor.Info.Name} {tensor.Info.Dtype} {tensor.Info.ShapeText} {Ledger.Digest(tensor)}");
        return Convert.ToHexStringLower(hash.GetCurrentHash());

        void Add(string line) => hash.Append(Encoding.UTF8.GetBytes(line + "\n"));
    }
}
