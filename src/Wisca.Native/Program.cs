using Wisca.Commands;
using Wisca.Commands.CommandLine;

if (args is ["--version"])
{
    Console.WriteLine(ProductVersion.Text);
    return 0;
}

return await new CommandLineProgram().RunAsync(args, CommandContext.ForProcess());
