using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Wisca.Fuzz;

/// <summary>Runs single cases and says what is wrong with them.</summary>
internal static class CaseRunner
{
    private const long MostMemory = 512L << 20;

    /// <summary>What is wrong: a crash, a hang, memory beyond a bound, a message that is not one plain line, a difference.</summary>
    /// <returns>Whether the input was accepted, and the fault; null where there is none.</returns>
    public static (bool Accepted, string? Fault) Run(Target target, byte[] input)
    {
        var (accepted, fault, time) = Once(target, input);
        if (fault is not null) return (accepted, fault);

        // On a busy machine a case may wait for its turn: only one that is slow again is slow.
        for (int again = 0; again < 2 && time > TimeSpan.FromSeconds(1); again++)
        {
            var (_, _, second) = Once(target, input);
            time = second < time ? second : time;
        }

        if (time > TimeSpan.FromSeconds(1)) return (accepted, $"hang: {time.TotalSeconds:0.0} s");
        if (target.Expected is { } expected && expected(input) != accepted)
            return (accepted, $"difference: wisca {(accepted ? "accepts" : "refuses")} it, the independent rules do not agree");
        return (accepted, null);
    }

    private static (bool Accepted, string? Fault, TimeSpan Time) Once(Target target, byte[] input)
    {
        bool accepted = false;
        string? fault = null;
        long before = Stopwatch.GetTimestamp(), allocated = GC.GetTotalAllocatedBytes();
        var time = TimeSpan.Zero;
        try
        {
            target.Read(input);
            accepted = true;
        }
        catch (WiscaException exception)
        {
            fault = FaultOf(exception);

            // A pattern that does not end is ended by its limit of some seconds, and said so: no hang.
            if (exception.InnerException is RegexMatchTimeoutException) before = Stopwatch.GetTimestamp();
        }
        catch (Exception exception)
        {
            fault = $"crash: {exception}";
        }

        time = Stopwatch.GetElapsedTime(before);
        allocated = GC.GetTotalAllocatedBytes() - allocated;
        if (allocated > MostMemory) fault ??= $"memory: {allocated >> 20} MiB were asked for";
        return (accepted, fault, time);
    }

    private static string? FaultOf(WiscaException exception)
    {
        foreach (string? line in (string?[])[exception.Message, exception.Hint, .. exception.Details])
        {
            if (line?.Length == 0) return "a line of a message is empty";
            if (line?.FirstOrDefault(IsUnprintable) is { } found and not '\0')
                return $"character U+{(int)found:X4} in a message: {line}";
            if (line?.Contains('\0') == true) return $"character U+0000 in a message: {line}";
        }

        return null;
    }

    /// <summary>Control characters, line breaks of every kind, and what turns the order of the text around it.</summary>
    private static bool IsUnprintable(char c) =>
        char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069');
}
