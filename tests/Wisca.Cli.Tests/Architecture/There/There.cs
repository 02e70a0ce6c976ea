namespace Wisca.Cli.Tests.Architecture.There;

/// <summary>Makes a ring on purpose, by which the test of rings is tested.</summary>
internal static class There
{
    public static int Length => typeof(HouseTests).Name.Length - "Tests".Length;
}
