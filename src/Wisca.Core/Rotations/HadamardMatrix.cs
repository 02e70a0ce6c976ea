namespace Wisca.Rotations;

/// <summary>
/// Hadamard matrices, whose elements are all 1 or -1 and whose rows are orthogonal: Sylvester's doubling, Paley's two constructions from
/// the squares modulo a prime ("On orthogonal matrices", 1933), four circulants in the array of Goethals and Seidel ("Orthogonal matrices
/// with zero diagonal", 1967), and products of such.
/// </summary>
internal static class HadamardMatrix
{
    /// <summary>
    /// Signs of the first rows of four circulants A, B, C, D with A A^T + B B^T + C C^T + D D^T = 4 n I, for sizes 4 n that Paley's
    /// constructions do not give. Found by trying all rows that stay the same under a group of multipliers modulo n.
    /// </summary>
    private static readonly string[][] Circulants =
    [
        ["+-+--++++--+-", "+-+--++++--+-", "+---+--++-+++", "++-++--++++++"],
        [
            "+---+-+---+-+--+-+++-+-++++-+-++-+--+-+", "++----+-+--++--++-+++-+---+-+-++----+--",
            "++-+-----+------++-+--++--+++--+------+", "++-----+----+++-++---++++-+--++--++++++",
        ],
        [
            "+-+-+----+-++-++---++--++---++-++-+----+-+-", "++-++-++-+-+---+--++++++++--+---+-+-++-++-+",
            "+++---++-++++-+-++--+--+--++-+-++++-++---++", "+++-+++++---++++---+----+---++++---+++++-++",
        ],
    ];

    /// <summary>A Hadamard matrix of a size; null where none is known here.</summary>
    public static sbyte[,]? Of(int size)
    {
        if (Parts(size) is not var (doublings, core)) return null;
        sbyte[,] two = { { 1, 1 }, { 1, -1 } };
        for (int doubling = 0; doubling < doublings; doubling++) core = Kronecker(two, core);
        return core;
    }

    /// <summary>The matrix of a size as so many doublings of a core that is as small as can be; null where none is known here.</summary>
    public static (int Doublings, sbyte[,] Core)? Parts(int size)
    {
        if (size < 1) return null;
        for (int doublings = int.TrailingZeroCount(size); doublings >= 0; doublings--)
        {
            if (Core(size >> doublings) is { } core) return (doublings, core);
        }

        // A product of two that are no doublings: the first is as small as can be.
        for (int factor = 12; (long)factor * factor <= size; factor += 4)
        {
            if (size % factor == 0 && Core(factor) is { } left && Of(size / factor) is { } right) return (0, Kronecker(left, right));
        }

        return null;
    }

    private static sbyte[,]? Core(int size) =>
        size == 1 ? new sbyte[,] { { 1 } }
        : size % 4 != 0 ? null
        : Paley(size) ?? (Circulants.FirstOrDefault(rows => 4 * rows[0].Length == size) is { } found ? GoethalsSeidel(found) : null);

    /// <summary>
    /// [A, BR, CR, DR; -BR, A, D'R, -C'R; -CR, -D'R, A, B'R; -DR, C'R, -B'R, A] with X' the transpose and R the reversal of columns.
    /// </summary>
    private static sbyte[,] GoethalsSeidel(string[] rows)
    {
        int n = rows[0].Length;
        (int Part, int Sign, bool Turned)[,] array =
        {
            { (0, 1, false), (1, 1, false), (2, 1, false), (3, 1, false) },
            { (1, -1, false), (0, 1, false), (3, 1, true), (2, -1, true) },
            { (2, -1, false), (3, -1, true), (0, 1, false), (1, 1, true) },
            { (3, -1, false), (2, 1, true), (1, -1, true), (0, 1, false) },
        };
        sbyte[,] matrix = new sbyte[4 * n, 4 * n];
        for (int row = 0; row < 4 * n; row++)
        {
            for (int column = 0; column < 4 * n; column++)
            {
                var (part, sign, turned) = array[row / n, column / n];
                int i = row % n, j = part == 0 ? column % n : n - 1 - (column % n);
                if (turned) (i, j) = (j, i);
                matrix[row, column] = (sbyte)(rows[part][(j - i + n) % n] == '+' ? sign : -sign);
            }
        }

        return matrix;
    }

    private static sbyte[,]? Paley(int size)
    {
        if (IsPrime(size - 1) && (size - 1) % 4 == 3)
        {
            // I + S, with S skew: ones above, minus ones beside, and the character of differences.
            int q = size - 1;
            sbyte[,] matrix = new sbyte[size, size];
            sbyte[] character = Characters(q);
            for (int row = 0; row < size; row++)
            {
                for (int column = 0; column < size; column++)
                {
                    matrix[row, column] = (sbyte)(
                        row == column || row == 0 ? 1
                        : column == 0 ? -1
                        : character[((row - column) % q + q) % q]);
                }
            }

            return matrix;
        }

        int half = (size / 2) - 1;
        if (size % 4 != 0 || !IsPrime(half) || half % 4 != 1) return null;

        // The symmetric conference matrix C of size q + 1, with [[1, 1], [1, -1]] for each of its elements and [[1, -1], [-1, -1]] for 0.
        sbyte[] characters = Characters(half);
        sbyte[,] result = new sbyte[size, size];
        for (int row = 0; row <= half; row++)
        {
            for (int column = 0; column <= half; column++)
            {
                int element = row == column ? 0
                    : row == 0 || column == 0 ? 1
                    : characters[((row - column) % half + half) % half];
                (result[2 * row, 2 * column], result[2 * row, (2 * column) + 1], result[(2 * row) + 1, 2 * column],
                    result[(2 * row) + 1, (2 * column) + 1]) = element == 0
                    ? ((sbyte)1, (sbyte)-1, (sbyte)-1, (sbyte)-1)
                    : ((sbyte)element, (sbyte)element, (sbyte)element, (sbyte)-element);
            }
        }

        return result;
    }

    /// <summary>1 for squares modulo a prime, -1 for the others, 0 for 0.</summary>
    private static sbyte[] Characters(int prime)
    {
        sbyte[] characters = new sbyte[prime];
        Array.Fill(characters, (sbyte)-1);
        characters[0] = 0;
        for (long x = 1; x < prime; x++) characters[x * x % prime] = 1;
        return characters;
    }

    private static bool IsPrime(int number)
    {
        if (number < 2) return false;
        for (int divisor = 2; (long)divisor * divisor <= number; divisor++)
        {
            if (number % divisor == 0) return false;
        }

        return true;
    }

    private static sbyte[,] Kronecker(sbyte[,] left, sbyte[,] right)
    {
        int n = left.GetLength(0), m = right.GetLength(0);
        sbyte[,] product = new sbyte[n * m, n * m];
        for (int row = 0; row < n * m; row++)
        {
            for (int column = 0; column < n * m; column++)
                product[row, column] = (sbyte)(left[row / m, column / m] * right[row % m, column % m]);
        }

        return product;
    }
}
