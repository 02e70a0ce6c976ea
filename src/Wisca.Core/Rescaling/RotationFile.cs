using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Files;
using Wisca.Rotations;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>
/// The matrices of a move's rotations, in float64: <c>wisca-rotation-0.safetensors</c>. <c>SPACE/rotation</c> is R [size, size], by which
/// x' = x R, and <c>SPACE/dual</c> is R^-T where R is not orthogonal; <c>SPACE/GAIN/before</c> and <c>/after</c> are the gains of a norm
/// (1 included where it is added), and so are a norm's biases.
/// </summary>
internal static class RotationFile
{
    /// <summary>What every such file's name begins with.</summary>
    public const string Prefix = SideFiles.RotationPrefix;

    private const string Hint =
        "the ledger and its rotations do not belong together; without wisca.json the folder is still a valid model";

    /// <summary>The name of the file of a ledger's next move with rotations.</summary>
    public static string NameFor(IReadOnlyList<LedgerMove> history) =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}{history.Count(move => move.Rotations is not null)}.safetensors");

    /// <summary>The names of the files that moves need.</summary>
    public static IEnumerable<string> NamesIn(IEnumerable<LedgerMove> moves) =>
        moves.SelectMany(move => move.Rotations ?? []).Select(rotation => rotation.File).Distinct(StringComparer.Ordinal);

    /// <summary>Finds a file beside a ledger.</summary>
    /// <param name="folder">The folder of the ledger.</param>
    /// <param name="name">The file's name.</param>
    /// <exception cref="WiscaException">There is none, or it is a pipe or a device.</exception>
    public static FileInfo Find(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (!Path.Exists(path))
            throw new WiscaException($"{path} does not exist, and {Ledger.FileName} tells of a rotation that is in it", Hint);
        PlainFile.Check(path);
        return new FileInfo(path);
    }

    /// <summary>Writes the turns of a move.</summary>
    /// <param name="path">The file, which is not there yet.</param>
    /// <param name="turns">The turns.</param>
    /// <param name="biases">For each bias of a norm, what it was and what it is.</param>
    public static void Write(
        string path, IReadOnlyList<SpaceTurn> turns, IReadOnlyDictionary<string, (double[] Before, double[] After)> biases)
    {
        var tensors = new List<(string Name, long[] Shape, double[] Values)>();
        foreach (var turn in turns)
        {
            Matrix($"{turn.Space.Name}/rotation", turn.Matrix);
            if (turn.Dual is { } dual) Matrix($"{turn.Space.Name}/dual", dual);
            foreach (var gain in turn.Space.Gains)
            {
                Vectors(turn, gain.Tensor, turn.Gains[gain.Tensor]);
                if (gain.Bias is { } bias) Vectors(turn, bias, biases[bias]);
            }
        }

        var header = SafetensorsHeader.Create(tensors.Select(tensor => (tensor.Name, Dtype.F64, tensor.Shape)));
        using var writer = new SafetensorsWriter(path, header);
        foreach (var (_, _, values) in tensors) writer.Write(MemoryMarshal.AsBytes<double>(values));
        writer.Complete();

        void Matrix(string name, double[,] matrix)
        {
            int size = matrix.GetLength(0);
            double[] values = new double[size * size];
            Buffer.BlockCopy(matrix, 0, values, 0, values.Length * sizeof(double));
            tensors.Add((name, [size, size], values));
        }

        void Vectors(SpaceTurn turn, string tensor, (double[] Before, double[] After) values)
        {
            tensors.Add(($"{turn.Space.Name}/{tensor}/before", [turn.Space.Size], values.Before));
            tensors.Add(($"{turn.Space.Name}/{tensor}/after", [turn.Space.Size], values.After));
        }
    }

    /// <summary>By what a rotation of a model and that of its adapter are known to be the same: a digest of R.</summary>
    /// <param name="folder">The folder of the ledger.</param>
    /// <param name="rotation">What the ledger says of it.</param>
    /// <exception cref="WiscaException">The file is missing or broken, or does not fit the ledger.</exception>
    public static string Digest(string folder, LedgerRotation rotation)
    {
        using var file = SafetensorsFile.Open(Find(folder, rotation.File).FullName);
        double[] values = Values(file, $"{rotation.Space}/rotation", (long)rotation.Size * rotation.Size);
        return Convert.ToHexStringLower(XxHash128.Hash(MemoryMarshal.AsBytes<double>(values)));
    }

    /// <summary>Reads one turn of a move, and the biases of its norms.</summary>
    /// <param name="folder">The folder of the ledger.</param>
    /// <param name="rotation">What the ledger says of it.</param>
    /// <exception cref="WiscaException">The file is missing or broken, or does not fit the ledger.</exception>
    public static (SpaceTurn Turn, Dictionary<string, (double[] Before, double[] After)> Biases) Read(
        string folder, LedgerRotation rotation)
    {
        using var file = SafetensorsFile.Open(Find(folder, rotation.File).FullName);
        double[,] matrix = Matrix("rotation");
        double[,]? dual = file.Header.Find($"{rotation.Space}/dual") is null ? null : Matrix("dual");
        if (!(OrthogonalMatrix.Fault(matrix, dual) < 1e-6))
            throw new WiscaException(
                dual is null
                    ? $"{rotation.File}: '{rotation.Space}/rotation' is not orthogonal"
                    : $"{rotation.File}: '{rotation.Space}/dual' is not the transposed inverse of '{rotation.Space}/rotation'",
                Hint);
        var gains = new Dictionary<string, (double[], double[])>(StringComparer.Ordinal);
        var biases = new Dictionary<string, (double[], double[])>(StringComparer.Ordinal);
        foreach (var gain in rotation.Gains)
        {
            gains[gain.Tensor] = Pair(gain.Tensor);
            if (gain.Bias is { } bias) biases[bias] = Pair(bias);
        }

        return (new SpaceTurn(rotation.ToSpace(), matrix, gains, dual), biases);

        double[,] Matrix(string name)
        {
            double[] values = Values(file, $"{rotation.Space}/{name}", (long)rotation.Size * rotation.Size);
            double[,] matrix = new double[rotation.Size, rotation.Size];
            Buffer.BlockCopy(values, 0, matrix, 0, values.Length * sizeof(double));
            return matrix;
        }

        (double[], double[]) Pair(string tensor) => (
            Values(file, $"{rotation.Space}/{tensor}/before", rotation.Size),
            Values(file, $"{rotation.Space}/{tensor}/after", rotation.Size));
    }

    private static double[] Values(SafetensorsFile file, string name, long count)
    {
        if (file.Header.Find(name) is not { Dtype: Dtype.F64 } info || info.ElementCount != count)
            throw new WiscaException($"{file.FullPath} has no '{name}' of {count} elements in F64", Hint);
        double[] values = new double[count];
        file.Read(info, 0, MemoryMarshal.AsBytes(values.AsSpan()));
        return Array.TrueForAll(values, double.IsFinite)
            ? values
            : throw new WiscaException($"{file.FullPath}: '{name}' holds NaN or infinity", Hint);
    }
}
