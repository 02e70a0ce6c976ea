namespace Wisca.Cli.CommandLine;

/// <summary>Passes progress on at once, on the thread that reports it (Progress&lt;T&gt;
/// would post it to the pool, out of order).</summary>
internal sealed class DirectProgress<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
