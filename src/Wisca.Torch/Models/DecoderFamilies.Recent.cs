namespace Wisca.Torch.Models;

internal static partial class DecoderFamilies
{
    private static DecoderConfig Phi3(ConfigReader reader)
    {
        const int positions = 4096;
        var config = LlamaLike(
            reader, positions, epsilon: 1e-5, window: reader.FindSize("sliding_window"),
            rope: reader.Rope(positions: positions, originalPositions: positions));
        return config with
        {
            Attention = config.Attention with { FusedOrder = FusedOrder.Blocks },
            Names = config.Names with { FusedQkv = "qkv_proj", FusedGateUp = "gate_up_proj" },
        };
    }
}
