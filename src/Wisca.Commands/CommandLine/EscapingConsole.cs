using Spectre.Console;
using Spectre.Console.Rendering;

namespace Wisca.Commands.CommandLine;

/// <summary>A console on which no text from a file acts: what would is escaped. Styles and cursors still work.</summary>
internal sealed class EscapingConsole(IAnsiConsole inner) : IAnsiConsole
{
    public Profile Profile => inner.Profile;

    public IAnsiConsoleCursor Cursor => inner.Cursor;

    public IAnsiConsoleInput Input => inner.Input;

    public IExclusivityMode ExclusivityMode => inner.ExclusivityMode;

    public RenderPipeline Pipeline => inner.Pipeline;

    public void Clear(bool home) => inner.Clear(home);

    public void Write(IRenderable renderable) => inner.Write(new Escaped(renderable));

    public void WriteAnsi(Action<AnsiWriter> action) => inner.WriteAnsi(action);

    private sealed class Escaped(IRenderable renderable) : IRenderable
    {
        public Measurement Measure(RenderOptions options, int maxWidth) => renderable.Measure(options, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) =>
            renderable.Render(options, maxWidth).Select(segment =>
                segment.IsControlCode || segment.IsLineBreak || PrintableText.Of(segment.Text) is var text && text == segment.Text
                    ? segment
                    : new Segment(text, segment.Style));
    }
}
