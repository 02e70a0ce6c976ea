using System.Runtime.InteropServices;
using System.Text.Json;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;

namespace Wisca.Library.Exports;

/// <summary>Plans: <c>wisca_plan_*</c>.</summary>
internal static unsafe class PlanExports
{
    [UnmanagedCallersOnly(EntryPoint = "wisca_plan_new")]
    public static int New(byte* request, nint* plan, byte** error) => Call.Run(error, () =>
    {
        Output.Check(plan, nameof(plan));
        *plan = Handle.Give(new PlanSession(Text.Take(request, nameof(request))));
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_plan_describe")]
    public static int Describe(nint plan, byte** description, byte** error) => Call.Run(error, () =>
    {
        Output.Check(description, nameof(description));
        *description = Text.Give(JsonSerializer.Serialize(
            Handle.Take<PlanSession>(plan, nameof(plan)).Describe(), LibraryJson.Default.PlanDescription));
    });

    [UnmanagedCallersOnly(EntryPoint = "wisca_plan_free")]
    public static void Free(nint plan) => Handle.Free(plan);
}
