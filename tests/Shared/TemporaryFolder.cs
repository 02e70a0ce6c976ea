namespace Wisca.Tests;

/// <summary>A folder that lives as long as the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string FullPath { get; } = Directory.CreateTempSubdirectory("wisca-test-").FullName;

    /// <summary>A path inside the folder; nothing is created.</summary>
    public string this[params string[] parts] => Path.Combine([FullPath, .. parts]);

    public void Dispose() => Directory.Delete(FullPath, recursive: true);
}
