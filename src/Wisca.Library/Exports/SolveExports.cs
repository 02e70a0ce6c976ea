using System.Runtime.InteropServices;
using System.Text.Json;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;

namespace Wisca.Library.Exports;

/// <summary>Solving: <c>wisca_solve_*</c>.</summary>
internal static unsafe class SolveExports
{
    [UnmanagedCallersOnly(EntryPoint = "wisca_solve_new")]
    public static int New(nint plan, nint* solve, byte** error) => Call.Run(error, () =>
    {
        Output.Check(solve, nameof(solve));
        *solve = Handle.Give(new SolveSession(Handle.Take<PlanSession>(plan, nameof(plan))));
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_solve_next")]
    public static int Next(nint solve, byte** state, byte** error) => Call.Run(error, () =>
    {
        Output.Check(state, nameof(state));
        *state = Text.Give(JsonSerializer.Serialize(
            Handle.Take<SolveSession>(solve, nameof(solve)).Next(), LibraryJson.Default.SolveState));
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_solve_provide")]
    public static int Provide(nint solve, double* numbers, nuint count, byte** error) => Call.Run(
        error, () => Handle.Take<SolveSession>(solve, nameof(solve)).Provide(Output.Numbers(numbers, count, nameof(numbers))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_solve_factors")]
    public static int Factors(nint solve, double* factors, nuint count, byte** error) => Call.Run(error, () =>
    {
        var rest = Output.Numbers(factors, count, nameof(factors));
        double[][] all = [.. Handle.Take<SolveSession>(solve, nameof(solve)).Factors
            .SelectMany(entry => (double[][])[entry.Factors.Rows ?? [], entry.Factors.Columns ?? []])];
        int expected = all.Sum(own => own.Length);
        if (rest.Length != expected) throw new RequestException($"room for {rest.Length} factors, expected {expected}");
        foreach (double[] own in all)
        {
            own.CopyTo(rest);
            rest = rest[own.Length..];
        }
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_solve_free")]
    public static void Free(nint solve) => Handle.Free(solve);
}
