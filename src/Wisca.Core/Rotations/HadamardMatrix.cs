namespace Wisca.Rotations;

/// <summary>
/// Hadamard matrices, whose elements are all 1 or -1 and whose rows are orthogonal: Sylvester's doubling, Paley's two constructions from
/// the squares modulo a prime ("On orthogonal matrices", 1933), and products of such.
/// </summary>
internal static class HadamardMatrix
{
    /// <summary>A Hadamard matrix of a size; null where none is known here.</summary>
    public static sbyte[,]? Of(int size)
    {
        if (size == 1) return new sbyte[,] { { 1 } };
        if (size == 2) return new sbyte[,] { { 1, 1 }, { 1, -1 } };
        if (size % 4 != 0) return null;
        if (Paley(size) is { } whole) return whole;

        // The smaller factor is as small as can be, so that most of it is doubling.
        for (int factor = 2; (long)factor * factor <= size; factor++)
        {
            if (size % factor == 0 && Of(factor) is { } left && Of(size / factor) is { } right) return Kronecker(left, right);
        }

        return null;
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
