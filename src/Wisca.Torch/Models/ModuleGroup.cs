using TorchSharp;

namespace Wisca.Torch.Models;

/// <summary>A node of the tree of modules that only gives its children a name.</summary>
internal sealed class ModuleGroup(string name) : torch.nn.Module(name);
