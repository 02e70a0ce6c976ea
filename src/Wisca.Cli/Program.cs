using Wisca.Cli.CommandLine;

return await WiscaApplication.RunAsync(args, CommandContext.ForProcess());
