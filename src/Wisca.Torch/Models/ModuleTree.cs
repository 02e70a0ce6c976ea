using Wisca.Attention;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Hangs modules under their full Hugging Face names, making the groups in between, so that parameters and state carry those names
/// whatever the family calls them. Parameters are allocated and not initialised.
/// </summary>
internal sealed class ModuleTree(nn.Module root, ScalarType dtype, Device device)
{
    private readonly Dictionary<string, nn.Module> _groups = new(StringComparer.Ordinal) { [""] = root };

    public DenseLayer Dense(string path, int inputs, int outputs, bool bias, Orientation orientation = Orientation.Linear)
    {
        bool transposed = orientation == Orientation.Conv1D;
        var weight = transposed ? Allocate(inputs, outputs) : Allocate(outputs, inputs);
        return Add(path, new DenseLayer(weight, bias ? Allocate(outputs) : null, transposed));
    }

    public NormLayer Norm(string path, NormConfig config, params long[] shape) =>
        Add(path, new NormLayer(config, Allocate(shape), config.Bias ? Allocate(shape) : null));

    public EmbeddingTable Embedding(string path, int rows, int width) => Add(path, new EmbeddingTable(Allocate(rows, width)));

    /// <summary>Zeros that belong to a module's state and take no gradient.</summary>
    public void Buffer(nn.Module module, string name, int width) =>
        module.register_buffer(name, zeros([width], dtype, device).DetachFromDisposeScope());

    private TorchSharp.Modules.Parameter Allocate(params long[] shape) => new(empty(shape, dtype, device).DetachFromDisposeScope());

    private T Add<T>(string path, T module)
        where T : nn.Module
    {
        int dot = path.LastIndexOf('.');
        Group(dot < 0 ? "" : path[..dot]).register_module(path[(dot + 1)..], module);
        return module;
    }

    private nn.Module Group(string path)
    {
        if (!_groups.TryGetValue(path, out var group)) _groups[path] = group = Add(path, new ModuleGroup(path));
        return group;
    }
}
