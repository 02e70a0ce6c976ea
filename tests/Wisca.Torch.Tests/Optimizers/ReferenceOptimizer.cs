namespace Wisca.Torch.Tests.Optimizers;

/// <summary>The optimizers' formulas, element by element in float64, written down again without torch.</summary>
internal static class ReferenceOptimizer
{
    /// <summary>An update of one element: its weight and gradient, its memory (zeros at first), the step from 1.</summary>
    public delegate double Rule(double weight, double gradient, double[] memory, int step);

    public static Rule AdamW(double learningRate, double beta1, double beta2, double epsilon, double decay) => (w, g, memory, step) =>
    {
        memory[0] = (beta1 * memory[0]) + ((1 - beta1) * g);
        memory[1] = (beta2 * memory[1]) + ((1 - beta2) * g * g);
        double m = memory[0] / (1 - Math.Pow(beta1, step)), v = memory[1] / (1 - Math.Pow(beta2, step));
        return w - (learningRate * decay * w) - (learningRate * m / (Math.Sqrt(v) + epsilon));
    };

    public static Rule Sgd(double learningRate, double momentum, bool nesterov, bool decoupled, double decay) => (w, g, memory, step) =>
    {
        if (!decoupled) g += decay * w;
        memory[0] = step == 1 ? g : (momentum * memory[0]) + g;
        double shrunk = decoupled ? w - (learningRate * decay * w) : w;
        return shrunk - (learningRate * (nesterov ? g + (momentum * memory[0]) : memory[0]));
    };

    public static Rule Lion(double learningRate, double beta1, double beta2, double decay) => (w, g, memory, _) =>
    {
        int direction = Math.Sign((beta1 * memory[0]) + ((1 - beta1) * g));
        memory[0] = (beta2 * memory[0]) + ((1 - beta2) * g);
        return w - (learningRate * ((decay * w) + direction));
    };

    /// <summary>Runs a rule over given gradients.</summary>
    public static (double[] Weights, double[][] Memory) Run(double[] weights, double[][] gradients, Rule rule)
    {
        double[] result = [.. weights];
        double[][] memory = [.. weights.Select(_ => new double[2])];
        for (int step = 1; step <= gradients.Length; step++)
        {
            for (int i = 0; i < result.Length; i++) result[i] = rule(result[i], gradients[step - 1][i], memory[i], step);
        }

        return (result, memory);
    }

    /// <summary>Muon on one matrix, rows of columns; returns the weights and the momentum.</summary>
    public static (double[,] Weights, double[,] Buffer) RunMuon(
        double[,] weights, double[][,] gradients, double learningRate, double momentum, bool nesterov, double decay, double scale)
    {
        var (w, buffer) = ((double[,])weights.Clone(), new double[weights.GetLength(0), weights.GetLength(1)]);
        foreach (double[,] gradient in gradients)
        {
            buffer = Combine(momentum, buffer, 1 - momentum, gradient);
            double[,] direction = nesterov ? Combine(momentum, buffer, 1 - momentum, gradient) : buffer;
            double norm = Math.Sqrt(direction.Cast<double>().Sum(value => value * value));
            double[,] x = Combine(1 / norm, direction, 0, direction);
            for (int i = 0; i < 5; i++)
            {
                // From the right here, X (aI + bB + cB^2) with B = X^T X, which is the same matrix.
                double[,] gram = Product(Transpose(x), x);
                x = Combine(3.4445, x, 1, Product(x, Combine(-4.7750, gram, 2.0315, Product(gram, gram))));
            }

            w = Combine(1 - (learningRate * decay), w, -learningRate * scale, x);
        }

        return (w, buffer);
    }

    /// <summary>
    /// SOAP on one matrix, rows of columns, from the bases that its first gradient chose (null for a side without); returns the weights,
    /// the second moments, and each side's Gram matrix and basis.
    /// </summary>
    public static (double[,] Weights, double[,] Squares, double[][,] Grams, double[,]?[] Bases) RunSoap(
        double[,] weights, double[][,] gradients, double[,]?[] bases, double learningRate, double beta1, double beta2,
        double shampooBeta, double epsilon, double decay, int refresh)
    {
        int rows = weights.GetLength(0), columns = weights.GetLength(1);
        double[,] w = (double[,])weights.Clone(), average = new double[rows, columns], squares = new double[rows, columns];
        double[][,] grams = [new double[rows, rows], new double[columns, columns]];
        double[,]?[] q = [.. bases];
        for (int updates = 0; updates < gradients.Length; updates++)
        {
            double[,] g = gradients[updates];
            if (updates > 0)
            {
                double[,] u = q[0] ?? Identity(rows), v = q[1] ?? Identity(columns);
                average = Combine(beta1, average, 1 - beta1, g);
                double[,] turned = Product(Product(Transpose(u), g), v);
                squares = Combine(beta2, squares, 1 - beta2, Make(rows, columns, (i, j) => turned[i, j] * turned[i, j]));
                double[,] direction = Product(Product(Transpose(u), average), v);
                double first = 1 - Math.Pow(beta1, updates), second = 1 - Math.Pow(beta2, updates);
                direction = Make(rows, columns, (i, j) => direction[i, j] / first / (Math.Sqrt(squares[i, j] / second) + epsilon));
                w = Combine(1 - (learningRate * decay), w, -learningRate, Product(Product(u, direction), Transpose(v)));
            }

            grams[0] = Combine(shampooBeta, grams[0], 1 - shampooBeta, Product(g, Transpose(g)));
            grams[1] = Combine(shampooBeta, grams[1], 1 - shampooBeta, Product(Transpose(g), g));
            if (updates == 0 || updates % refresh != 0) continue;
            for (int side = 0; side < 2; side++)
            {
                if (q[side] is not { } basis) continue;
                double[,] moved = Product(grams[side], basis), overlap = Product(Transpose(basis), moved);
                int size = basis.GetLength(0);
                int[] order = [.. Enumerable.Range(0, size).OrderByDescending(i => overlap[i, i])];
                double[,] before = squares;
                squares = side == 0
                    ? Make(rows, columns, (i, j) => before[order[i], j])
                    : Make(rows, columns, (i, j) => before[i, order[j]]);
                q[side] = OrthonormalColumns(Make(size, size, (i, j) => moved[i, order[j]]));
            }
        }

        return (w, squares, grams, q);
    }

    /// <summary>Gram and Schmidt, each column twice.</summary>
    private static double[,] OrthonormalColumns(double[,] x)
    {
        int size = x.GetLength(0);
        double[,] q = (double[,])x.Clone();
        for (int column = 0; column < size; column++)
        {
            for (int before = 0; before < 2 * column; before++)
            {
                double product = Enumerable.Range(0, size).Sum(i => q[i, column] * q[i, before % column]);
                for (int i = 0; i < size; i++) q[i, column] -= product * q[i, before % column];
            }

            double length = Math.Sqrt(Enumerable.Range(0, size).Sum(i => q[i, column] * q[i, column]));
            for (int i = 0; i < size; i++) q[i, column] /= length;
        }

        return q;
    }

    private static double[,] Identity(int size) => Make(size, size, (i, j) => i == j ? 1 : 0);

    private static double[,] Combine(double a, double[,] x, double b, double[,] y) =>
        Make(x.GetLength(0), x.GetLength(1), (i, j) => (a * x[i, j]) + (b * y[i, j]));

    public static double[,] Transpose(double[,] x) => Make(x.GetLength(1), x.GetLength(0), (i, j) => x[j, i]);

    public static double[,] Product(double[,] x, double[,] y) =>
        Make(x.GetLength(0), y.GetLength(1), (i, j) => Enumerable.Range(0, y.GetLength(0)).Sum(k => x[i, k] * y[k, j]));

    public static double[,] Make(int rows, int columns, Func<int, int, double> element)
    {
        double[,] result = new double[rows, columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) result[i, j] = element(i, j);
        }

        return result;
    }
}
