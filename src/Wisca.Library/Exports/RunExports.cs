using System.Runtime.InteropServices;
using Wisca.Library.Sessions;

namespace Wisca.Library.Exports;

/// <summary>Whole folders: <c>wisca_run</c> and what cancels it.</summary>
internal static unsafe class RunExports
{
    [UnmanagedCallersOnly(EntryPoint = "wisca_cancellation_new")]
    public static nint New() => Handle.Give(new CancellationTokenSource());

    [UnmanagedCallersOnly(EntryPoint = "wisca_cancellation_cancel")]
    public static void Cancel(nint cancellation) => Call.Run(
        null, () => Handle.Take<CancellationTokenSource>(cancellation, "cancellation").Cancel());

    [UnmanagedCallersOnly(EntryPoint = "wisca_cancellation_free")]
    public static void Free(nint cancellation) => Handle.Free(cancellation);

    [UnmanagedCallersOnly(EntryPoint = "wisca_run")]
    public static int Run(byte* arguments, nint cancellation, byte** output, byte** messages, byte** error)
    {
        if (output is not null) *output = null;
        if (messages is not null) *messages = null;
        int exitCode = 0;
        int status = Call.Run(error, () =>
        {
            var token = cancellation == 0
                ? CancellationToken.None
                : Handle.Take<CancellationTokenSource>(cancellation, "cancellation").Token;
            var run = CommandSession.Run(Text.Take(arguments, "arguments"), token);
            if (output is not null) *output = Text.Give(run.Output);
            if (messages is not null) *messages = Text.Give(run.Messages);
            if (run.Error is { } failure) Call.Tell(error, Status.Failed, failure);
            exitCode = run.ExitCode;
        });
        return status == 0 ? exitCode : status;
    }
}
