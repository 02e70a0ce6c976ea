using Wisca.Reporting;
namespace Wisca.Tests;
public sealed class SampleTests
{
    [Fact]
    public void Write()
    {
        var s = MadeStudy.Realistic();
        StudyPages.Write(s.Report, s.Results, "/tmp/report/out/report.html", "/tmp/report/out/report.md");
    }
}
