using System.Text;

namespace Wisca.Commands.CommandLine;

/// <summary>Writes to a terminal, for as long as there is one: a window that was closed must not end what runs in it.</summary>
/// <param name="inner">The terminal.</param>
internal sealed class TerminalWriter(TextWriter inner) : TextWriter
{
    private volatile bool _gone;

    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Try(() => inner.Write(value));

    public override void Write(string? value) => Try(() => inner.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => inner.Write(buffer, index, count));

    public override void Flush() => Try(inner.Flush);

    private void Try(Action write)
    {
        if (_gone) return;
        try
        {
            write();
        }
        catch (IOException)
        {
            _gone = true;
        }
    }
}
