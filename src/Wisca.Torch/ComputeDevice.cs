using System.Globalization;
using TorchSharp;
using Wisca.Communication;
using static TorchSharp.torch;

namespace Wisca.Torch;

/// <summary>Where something is computed, by the name that a user gives.</summary>
public static class ComputeDevice
{
    /// <summary>The processor.</summary>
    public const string Cpu = "cpu";

    /// <summary>What names match.</summary>
    public const string Pattern = "cpu|cuda(:[0-9]{1,4})?";

    /// <summary>What names match, in words.</summary>
    public const string Expected = "cpu, cuda or cuda:N";

    private const string Cuda = "cuda";

    /// <summary>Finds a device.</summary>
    /// <param name="name">Its name. Each rank of a machine has a card of its own by <c>cuda</c>.</param>
    /// <param name="ranks">The processes that compute.</param>
    /// <exception cref="WiscaException">There is no such device here.</exception>
    public static Device Find(string name, ICommunicator ranks)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(ranks);
        TorchRuntime.Require();
        if (name == Cpu) return CPU;
        return OnCard(Index(name, ranks, cuda.is_available() ? cuda.device_count() : 0));
    }

    /// <summary>The number of the card that a name stands for.</summary>
    internal static int Index(string name, ICommunicator ranks, int cards)
    {
        if (cards == 0)
            throw new WiscaException(
                $"device is {name}, but libtorch finds no graphics card",
                "set device: cpu, or on a machine with one build with -p:TorchBackend=cuda-12.8");
        bool isNamed = name != Cuda;
        if (isNamed && ranks.LocalSize > 1)
            throw new WiscaException(
                $"device is {name}, but {ranks.LocalSize} ranks of this machine would share it",
                "set device: cuda, one card for each rank");
        int index = isNamed ? int.Parse(name.AsSpan(Cuda.Length + 1), CultureInfo.InvariantCulture) : ranks.LocalRank;
        if (index < cards) return index;
        string has = $"it has {cards} graphics card{(cards == 1 ? "" : "s")}";
        throw new WiscaException(
            isNamed
                ? $"device is {name} of this machine, but {has}, counted from 0"
                : $"device is {name} for {ranks.LocalSize} ranks of this machine, but {has}",
            isNamed ? "name another" : "start a rank for each card");
    }

    private static Device OnCard(int index) => new(DeviceType.CUDA, index);
}
