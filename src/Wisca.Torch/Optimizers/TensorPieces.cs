using Wisca.Communication;
using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>Moves tensors between ranks, in pieces that a message holds.</summary>
internal static class TensorPieces
{
    private const long Piece = 1 << 26;

    /// <summary>Makes a tensor, contiguous and of the same shape everywhere, what it is on one rank.</summary>
    public static void Broadcast(Tensor tensor, ICommunicator communicator, int root) =>
        ForEach(tensor, isChanged: communicator.Rank != root, bytes => communicator.Broadcast(bytes, root));

    public static void Send(Tensor tensor, ICommunicator communicator, int receiver) =>
        ForEach(tensor, isChanged: false, bytes => communicator.Send(bytes, receiver));

    public static void Receive(Tensor tensor, ICommunicator communicator, int sender) =>
        ForEach(tensor, isChanged: true, bytes => communicator.Receive(bytes, sender));

    private static void ForEach(Tensor tensor, bool isChanged, PieceAction act)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var flat = tensor.detach().view(-1);
        long count = Piece / flat.element_size();
        for (long begin = 0; begin < flat.shape[0]; begin += count)
        {
            using var piece = flat.narrow(0, begin, Math.Min(count, flat.shape[0] - begin));
            using var here = piece.cpu();
            act(here.bytes);
            if (isChanged && piece.device.type != TorchSharp.DeviceType.CPU) piece.copy_(here);
        }
    }

    private delegate void PieceAction(Span<byte> bytes);
}
