namespace Wisca.Library.Tests;

/// <summary>What eng/native has built, where somebody has and says so.</summary>
internal static class NativeCode
{
    /// <summary>The folder of wisca, libwisca and wisca.h; skips the test where there is none.</summary>
    public static string Folder
    {
        get
        {
            string? folder = Environment.GetEnvironmentVariable("WISCA_NATIVE");
            if (string.IsNullOrEmpty(folder)) Assert.Skip("WISCA_NATIVE is not set: it names the folder that eng/native builds");
            return Path.GetFullPath(folder);
        }
    }
}
