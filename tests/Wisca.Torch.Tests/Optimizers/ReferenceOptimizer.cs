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

    private static double[,] Combine(double a, double[,] x, double b, double[,] y) =>
        Make(x.GetLength(0), x.GetLength(1), (i, j) => (a * x[i, j]) + (b * y[i, j]));

    private static double[,] Transpose(double[,] x) => Make(x.GetLength(1), x.GetLength(0), (i, j) => x[j, i]);

    private static double[,] Product(double[,] x, double[,] y) =>
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
