using Wisca.Cli;
using Wisca.Commands.CommandLine;

// Scripts ask for the version often; it needs neither the parser nor the console, which take most of the start-up time.
if (args is ["--version"])
{
    try
    {
        Console.WriteLine(ProductVersion.Text);
        return 0;
    }
    catch (IOException)
    {
        // What follows fails in the same way, and says so.
    }
}

return await WiscaApplication.RunAsync(args, CommandContext.ForProcess());
