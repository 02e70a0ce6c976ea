using System.CommandLine;

namespace Wisca.Commands.Verbs;

/// <summary>A verb of a program that has libtorch, known here by its help alone.</summary>
internal sealed class ElsewhereCommand(string name, string? description) : Command(name, description);
