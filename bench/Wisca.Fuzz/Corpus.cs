using System.Security.Cryptography;

namespace Wisca.Fuzz;

/// <summary>Inputs that once broke something, kept in the repository: a folder a target, a file an input.</summary>
internal sealed class Corpus(string folder)
{
    /// <summary>What is kept for a target, in the order of the names.</summary>
    public IEnumerable<string> Of(Target target) =>
        Directory.Exists(Path.Combine(folder, target.Name))
            ? Directory.EnumerateFiles(Path.Combine(folder, target.Name)).Order(StringComparer.Ordinal)
            : [];

    /// <summary>Keeps an input under the hash of its content.</summary>
    public string Keep(Target target, byte[] input)
    {
        Directory.CreateDirectory(Path.Combine(folder, target.Name));
        string path = Path.Combine(folder, target.Name, Convert.ToHexStringLower(SHA256.HashData(input))[..16]);
        File.WriteAllBytes(path, input);
        return path;
    }
}
