using System.Runtime.InteropServices;
using System.Text;

namespace Wisca.Communication;

/// <summary>What ranks say to each other beside long arrays.</summary>
public static class CommunicatorExtensions
{
    /// <summary>Replaces numbers by their sums over all ranks, each formed in the order of the ranks: the same bits everywhere.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="values">The numbers of this rank; as many everywhere.</param>
    public static void Sum(this ICommunicator communicator, Span<double> values)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        if (communicator.Size == 1 || values.Length == 0) return;
        double[] all = new double[values.Length * communicator.Size];
        communicator.Gather(MemoryMarshal.AsBytes(values), MemoryMarshal.AsBytes(all.AsSpan()));
        for (int index = 0; index < values.Length; index++)
        {
            double sum = all[index];
            for (int rank = 1; rank < communicator.Size; rank++) sum += all[(rank * values.Length) + index];
            values[index] = sum;
        }
    }

    /// <summary>True where it is on some rank.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="value">What it is on this rank.</param>
    public static bool Any(this ICommunicator communicator, bool value)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        if (communicator.Size == 1) return value;
        double[] count = [value ? 1 : 0];
        communicator.Sum(count);
        return count[0] > 0;
    }

    /// <summary>The text of rank 0.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="text">That text on rank 0; anything elsewhere.</param>
    public static string? OfFirst(this ICommunicator communicator, string? text)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        if (communicator.Size == 1) return text;
        byte[] bytes = text is null ? [] : Encoding.UTF8.GetBytes(text);
        int[] length = [text is null ? -1 : bytes.Length];
        communicator.Broadcast(MemoryMarshal.AsBytes(length.AsSpan()), 0);
        if (length[0] < 0) return null;
        if (communicator.Rank != 0) bytes = new byte[length[0]];
        communicator.Broadcast(bytes, 0);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>Does something on rank 0, and when it is done on the others, which find there what it wrote.</summary>
    /// <typeparam name="T">What is made of it.</typeparam>
    /// <param name="communicator">The ranks.</param>
    /// <param name="act">What is done, for as long as it takes.</param>
    public static T FirstThenOthers<T>(this ICommunicator communicator, Func<T> act)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        ArgumentNullException.ThrowIfNull(act);
        if (communicator.Rank > 0) communicator.Barrier(patient: true);
        var result = act();
        if (communicator.Rank == 0) communicator.Barrier(patient: true);
        return result;
    }

    /// <summary>The part of so many things that is this rank's: side by side, in the order of the ranks, as equal as they go.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="count">Number of things.</param>
    public static (int Begin, int Count) ShareOf(this ICommunicator communicator, int count)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        int begin = (int)((long)count * communicator.Rank / communicator.Size);
        return (begin, (int)((long)count * (communicator.Rank + 1) / communicator.Size) - begin);
    }
}
