using System.Text;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;
using Wisca.Library.Tests;

namespace Wisca.Fuzz.Readers;

/// <summary>The JSON that programs give to libwisca: requests for plans, states of ledgers, words of command lines.</summary>
internal sealed class LibraryTargets : ITargets
{
    public LibraryTargets()
    {
        var model = new LooseModel();
        string request = model.Request("""{"qk": "pair", "vo": "kv-head", "layers": "0-1", "max_log2": 6}""", """{"stream": true}""");
        var plan = new PlanSession(request);
        string state = $$"""{"transitions": 3, "product": [{{string.Join(", ", plan.Transitions!.Exchanges.Select(exchange =>
            $"[{string.Join(", ", exchange.Groups.Select((_, group) => group + 0.5))}]"))}}]}""";
        All =
        [
            new Target("library-plan", 10, random => Mutator.Json(request, random), input => Refused(() => Plan(Text(input))), null),
            new Target(
                "library-state", 5, random => Mutator.Json(state, random), input => Refused(() => _ = new LedgerSession(plan, Text(input))),
                null),
            new Target(
                "library-run", 5, random => Mutator.Json("""["inspect", "nowhere", "--json", "--threads", "1"]""", random),
                input => Refused(() => CommandSession.Run(Text(input), CancellationToken.None)), null),
        ];

        void Plan(string text)
        {
            var made = new PlanSession(text);
            made.Describe();
            if (made.Transitions is null) return;
            using var solve = new SolveSession(made);
            solve.Next();
        }
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose()
    {
    }

    private static string Text(byte[] input)
    {
        try
        {
            return new UTF8Encoding(false, true).GetString(input);
        }
        catch (DecoderFallbackException)
        {
            throw new WiscaException("not UTF-8");
        }
    }

    /// <summary>A request that is not as described is a refusal too.</summary>
    private static void Refused(Action read)
    {
        try
        {
            read();
        }
        catch (RequestException exception)
        {
            throw new WiscaException(exception.Message);
        }
    }
}
