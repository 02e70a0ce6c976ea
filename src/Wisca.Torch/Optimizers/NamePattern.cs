using System.Text.RegularExpressions;

namespace Wisca.Torch.Optimizers;

/// <summary>Names with <c>*</c> for any characters.</summary>
internal static class NamePattern
{
    public static Func<string, bool> Matcher(string pattern)
    {
        string expression = string.Join(".*", pattern.Split('*').Select(Regex.Escape));
        var regex = new Regex(
            $@"\A(?:{expression})\z",
            RegexOptions.Singleline | RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        return regex.IsMatch;
    }
}
