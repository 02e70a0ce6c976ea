using System.Collections.Immutable;
using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>A folder of weights that can be written anew with some of them changed: a checkpoint, or an adapter.</summary>
internal interface IWeightFolder
{
    /// <summary>The folder's full path.</summary>
    string Folder { get; }

    /// <summary>The weight files.</summary>
    ImmutableArray<SafetensorsFile> Shards { get; }

    /// <summary>True where an index lists the shards.</summary>
    bool IsSharded { get; }

    /// <summary>The configuration, without which the folder is nothing; it is written last.</summary>
    string ConfigName { get; }

    /// <summary>Finds a tensor by name; null where there is none.</summary>
    StoredTensor? Find(string name);
}
