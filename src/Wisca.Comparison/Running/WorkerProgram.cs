namespace Wisca.Comparison.Running;

/// <summary>How a worker process is started: a program and its arguments, behind which comes the path of a request.</summary>
/// <param name="File">The program.</param>
/// <param name="Arguments">Its first arguments.</param>
public sealed record WorkerProgram(string File, IReadOnlyList<string> Arguments);
