namespace Wisca.Torch.Optimizers;

/// <summary>Checks that options share.</summary>
internal static class OptionCheck
{
    public static void Decay(string name, double value)
    {
        if (!(value >= 0 && value < 1)) throw new WiscaException($"{name} is {value}, expected a number from 0 and below 1");
    }
}
