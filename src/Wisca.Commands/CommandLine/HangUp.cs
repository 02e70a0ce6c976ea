using System.Globalization;
using System.Runtime.InteropServices;

namespace Wisca.Commands.CommandLine;

/// <summary>
/// SIGHUP, which a terminal sends when it is closed: it stops a command as Ctrl-C and SIGTERM do, so that a training saves what it has.
/// A process that was told to ignore it (nohup) goes on.
/// </summary>
internal sealed class HangUp : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration? _registration;

    public HangUp()
    {
        if (OperatingSystem.IsWindows() || IsIgnored()) return;
        _registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            _source.Cancel();
        });
    }

    /// <summary>Cancelled when the terminal is gone.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _registration?.Dispose();
        _source.Dispose();
    }

    private static bool IsIgnored()
    {
        const string status = "/proc/self/status", key = "SigIgn:";
        string? line = File.Exists(status)
            ? File.ReadLines(status).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))
            : null;

        // Bit n - 1 is of signal n; this one is the first.
        return line is not null
            && ulong.TryParse(line.AsSpan(key.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong ignored)
            && (ignored & 1) != 0;
    }
}
