namespace Wisca.Core.Tests;

public sealed class WiscaExceptionTests
{
    [Fact]
    public void Details_WithLineBreaks_StayOneLineEach() =>
        new WiscaException("two faults") { Details = ["a\nb", new string('x', 5000)] }.Details.ShouldBe([
            "a\\u000ab",
            new string('x', 2000) + "...",
        ]);
}
