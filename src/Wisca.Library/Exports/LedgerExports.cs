using System.Runtime.InteropServices;
using System.Text.Json;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;

namespace Wisca.Library.Exports;

/// <summary>The product of all transitions: <c>wisca_ledger_*</c>.</summary>
internal static unsafe class LedgerExports
{
    [UnmanagedCallersOnly(EntryPoint = "wisca_ledger_new")]
    public static int New(nint plan, byte* state, nint* ledger, byte** error) => Call.Run(error, () =>
    {
        Output.Check(ledger, nameof(ledger));
        *ledger = Handle.Give(
            new LedgerSession(Handle.Take<PlanSession>(plan, nameof(plan)), Text.TakeOptional(state, nameof(state))));
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_ledger_record")]
    public static int Record(nint ledger, nint solve, byte** error) => Call.Run(
        error, () => Handle.Take<LedgerSession>(ledger, nameof(ledger)).Record(Handle.Take<SolveSession>(solve, nameof(solve))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_ledger_state")]
    public static int State(nint ledger, byte** state, byte** error) => Call.Run(error, () =>
    {
        Output.Check(state, nameof(state));
        *state = Text.Give(JsonSerializer.Serialize(
            Handle.Take<LedgerSession>(ledger, nameof(ledger)).State(), LibraryJson.Default.LedgerState));
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_ledger_undo")]
    public static int Undo(nint ledger, nint* solve, byte** error) => Call.Run(error, () =>
    {
        Output.Check(solve, nameof(solve));
        *solve = Handle.Give(Handle.Take<LedgerSession>(ledger, nameof(ledger)).Undo());
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_ledger_write")]
    public static int Write(nint ledger, byte* folder, double* totals, nuint count, byte* from, byte** error) => Call.Run(
        error, () => Handle.Take<LedgerSession>(ledger, nameof(ledger)).Write(
            Text.Take(folder, nameof(folder)), Output.Numbers(totals, totals is null ? 0 : count, nameof(totals)),
            Text.TakeOptional(from, nameof(from))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_ledger_free")]
    public static void Free(nint ledger) => Handle.Free(ledger);
}
