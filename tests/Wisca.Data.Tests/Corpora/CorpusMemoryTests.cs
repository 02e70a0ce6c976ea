using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

/// <summary>The memory is that of the whole process: no other test may run beside it.</summary>
[CollectionDefinition(nameof(CorpusMemoryTests), DisableParallelization = true)]
[Collection(nameof(CorpusMemoryTests))]
public sealed class CorpusMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Documents_LargeFile_NeedMemoryForOneDocumentOnly()
    {
        using (var writer = new StreamWriter(_folder["a.txt"]))
        {
            for (int i = 0; i < 20_000; i++) writer.Write($"{i} {new string('x', 1000)}\n<|endoftext|>\n");
        }

        long highest = 0;
        int count = 0;
        foreach (string _ in CorpusReader.Open([_folder["a.txt"]]).Documents())
        {
            if (count++ % 2000 == 0) highest = Math.Max(highest, GC.GetTotalMemory(forceFullCollection: true));
        }

        count.ShouldBe(20_000);
        highest.ShouldBeLessThan(GC.GetTotalMemory(forceFullCollection: true) + 5_000_000);
    }
}
