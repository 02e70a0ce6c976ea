namespace Wisca.Commands.CommandLine;

/// <summary>Passes progress on at once, on the thread that reports it (Progress&lt;T&gt;
/// would post it to the pool, out of order).</summary>
/// <typeparam name="T">What is reported.</typeparam>
/// <param name="report">Told of it.</param>
public sealed class DirectProgress<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
