namespace Wisca.Commands.Completion;

/// <summary>Completion for PowerShell.</summary>
internal static class PowerShellScript
{
    public static IEnumerable<string> Lines(IReadOnlyList<CompletedVerb> verbs, IReadOnlyList<CompletedOption> options)
    {
        yield return "# Completion of wisca for PowerShell: wisca completion pwsh | Out-String | Invoke-Expression";
        yield return "Register-ArgumentCompleter -Native -CommandName wisca, wisca.exe, wisca.cmd -ScriptBlock {";
        yield return "    param($word, $command, $position)";
        yield return "    # What is offered behind a verb, and behind an option that has a value: text and tooltip.";
        yield return "    $offered = @{";
        yield return $"        '' = @({Offers([.. verbs.Select(verb => (verb.Name, verb.Description)), .. options.Select(Offer)])})";
        foreach (var verb in verbs)
        {
            var arguments = verb.Argument?.Words.Select(text => (text, text)) ?? [];
            yield return $"        '{verb.Name}' = @({Offers([.. arguments, .. verb.Options.Select(Offer)])})";
            foreach (var option in verb.Options)
            {
                if (option.Value is not { } value) continue;
                foreach (string form in option.Forms)
                    yield return $"        '{verb.Name} {form}' = @({Offers([.. value.Words.Select(text => (text, text))])})";
            }
        }

        yield return "    }";
        yield return "    $before = @($command.CommandElements | Select-Object -Skip 1 |";
        yield return "        Where-Object { $_.Extent.EndOffset -lt $position } | ForEach-Object { \"$_\" })";
        yield return "    $verb = $before | Where-Object { $_ -notlike '-*' } | Select-Object -First 1";
        yield return "    $last = if ($verb) { \"$verb $($before[-1])\" } else { '' }";
        yield return "    $key = if ($offered.ContainsKey($last)) { $last } else { $verb }";
        yield return "    $offered[$key] | Where-Object { $_ -and $_[0] -like \"$word*\" } | ForEach-Object {";
        yield return "        [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])";
        yield return "    }";
        yield return "}";
    }

    private static (string Text, string Tip) Offer(CompletedOption option) => (option.Name, option.Description);

    private static string Offers(IReadOnlyList<(string Text, string Tip)> offers) =>
        string.Join(", ", offers.Select(offer => $"@({Quoted(offer.Text)}, {Quoted(offer.Tip.Length > 0 ? offer.Tip : offer.Text)})"))
        // An array of one array is flattened without the comma in front.
        is var text && offers.Count == 1 ? $", {text}" : text;

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
