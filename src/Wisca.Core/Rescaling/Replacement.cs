using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>What <c>--force</c> may replace.</summary>
internal static class Replacement
{
    /// <summary>
    /// Checks that a folder is one that wisca wrote and that nobody worked in since: only then <c>--force</c> may replace it.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="shown">The folder as the user gave it.</param>
    /// <exception cref="WiscaException">The folder holds something that is not from wisca; the message names it.</exception>
    public static void Check(string folder, string shown)
    {
        const string hint = "move it away, or choose another folder";
        if (Ledger.Load(folder) is not { } ledger)
            throw new WiscaException(
                $"output {shown} exists and is not from wisca (it has no {Ledger.FileName}), so --force does not replace it",
                hint);
        var files = ledger.Files.ToDictionary(file => file.Name, file => file.Size, StringComparer.Ordinal);

        // Of a file that keeps its length the time of its last change tells; wisca writes the ledger after the weights.
        var written = File.GetLastWriteTimeUtc(Path.Combine(folder, Ledger.FileName));
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/');
            if (name == Ledger.FileName) continue;
            if (!files.TryGetValue(name, out long size))
                throw new WiscaException($"{Path.Combine(shown, name)} is not from wisca, so --force does not replace its folder", hint);
            var file = new FileInfo(path);
            if (file.Length != size || file.LastWriteTimeUtc > written)
                throw new WiscaException(
                    $"{Path.Combine(shown, name)} has changed since wisca wrote it, so --force does not replace its folder",
                    hint);
        }

        CheckWeights(folder, shown, ledger, hint);
    }

    /// <summary>The tensors that a move scaled, by the ledger's own digests: a file may have its old length and an old date.</summary>
    private static void CheckWeights(string folder, string shown, Ledger ledger, string hint)
    {
        var latest = ledger.LatestDigests();
        // Not those of folders inside, such as the averaged weights of a training: they have tensors of the same names.
        foreach (string name in ledger.Files.Select(file => file.Name).Where(name => !name.Contains('/')))
        {
            if (!name.EndsWith(".safetensors", StringComparison.Ordinal)) continue;
            using var opened = SafetensorsFile.Open(Path.Combine(folder, name));
            foreach (var info in opened.Header.Tensors)
            {
                if (latest.Remove(info.Name, out var digests) && Ledger.Digest(new StoredTensor(opened, info)) != digests.After)
                    throw Changed(info.Name);
            }
        }

        if (latest.Count > 0) throw Changed(latest.Keys.First());

        WiscaException Changed(string tensor) =>
            new($"tensor '{tensor}' in {shown} has changed since wisca wrote it, so --force does not replace its folder", hint);
    }
}
