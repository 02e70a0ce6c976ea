using System.Buffers.Binary;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using Wisca.Numerics;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Draws the weights of a new model. Each parameter has a generator of its own, seeded by the model's seed and the parameter's name, and
/// numbers are drawn in float64 and rounded once: values do not depend on the order, on the type or on libtorch's global generator.
/// </summary>
internal sealed class WeightInitializer(DecoderConfig config, ulong seed, InitializationOptions options)
{
    // Numbers drawn at a time.
    private const int Piece = 1 << 16;

    public void Fill(Decoder decoder)
    {
        CheckNumbers();
        var layers = decoder.named_modules().ToDictionary(entry => entry.name, entry => entry.module, StringComparer.Ordinal);
        var unmatched = options.Overrides.Select(entry => entry.Pattern).ToHashSet(StringComparer.Ordinal);
        using var ungraded = no_grad();
        foreach (var (name, parameter) in decoder.named_parameters())
        {
            int dot = name.LastIndexOf('.');
            unmatched.RemoveWhere(pattern => Fits(pattern, name));
            if (options.Overrides.FirstOrDefault(entry => Fits(entry.Pattern, name)) is { } other)
                Draw(name, parameter, other.StandardDeviation);
            else if (name[dot..] == ".bias") parameter.zero_();
            else if (layers[name[..dot]] is NormLayer) _ = config.Norm.UnitOffset ? parameter.zero_() : nn.init.ones_(parameter);
            else Draw(name, parameter, Deviation(name[..dot]));
        }

        if (unmatched.Count > 0)
            throw new WiscaException(
                $"no parameter of the model is called {string.Join(" or ", unmatched.Order(StringComparer.Ordinal))}",
                "patterns are whole names, with * for any characters");
    }

    private static bool Fits(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);

    private void CheckNumbers()
    {
        var all = options.Overrides.Select(entry => entry.StandardDeviation).Append(options.StandardDeviation ?? 0);
        if (all.FirstOrDefault(deviation => !double.IsFinite(deviation) || deviation < 0) is not 0 and var wrong)
            throw new WiscaException($"a standard deviation of {wrong}, expected a number from 0", "mend the initialisation");
    }

    private double Deviation(string layer)
    {
        double deviation = options.StandardDeviation ?? config.StandardDeviation;
        string last = layer[(layer.LastIndexOf('.') + 1)..];
        bool residual = last == config.Names.Output || last == config.Names.Down;
        return residual && (options.ScalesResidual ?? config.ScalesResidual) ? deviation / Math.Sqrt(2 * config.Layers.Length) : deviation;
    }

    private void Draw(string name, Tensor parameter, double deviation)
    {
        ulong state = State(seed, name);
        double[] numbers = new double[Math.Min(Piece, parameter.numel())];
        var flat = parameter.view(-1);
        for (long begin = 0; begin < flat.shape[0]; begin += Piece)
        {
            using var scope = NewDisposeScope();
            int count = (int)Math.Min(Piece, flat.shape[0] - begin);
            for (int i = 0; i < count; i++) numbers[i] = deviation * ProbeGenerator.Normal(ref state);
            flat.narrow(0, begin, count).copy_(tensor(numbers.AsSpan(0, count).ToArray()));
        }

        flat.Dispose();
    }

    /// <summary>The start of the generator of one parameter.</summary>
    internal static ulong State(ulong seed, string name)
    {
        byte[] key = new byte[8 + Encoding.UTF8.GetByteCount(name)];
        BinaryPrimitives.WriteUInt64LittleEndian(key, seed);
        Encoding.UTF8.GetBytes(name, key.AsSpan(8));
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(key));
    }
}
