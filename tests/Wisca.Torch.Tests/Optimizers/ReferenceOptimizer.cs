namespace Wisca.Tests.Optimizers;

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
}
