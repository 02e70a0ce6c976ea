namespace Wisca.Tests;

/// <summary>A tensor as tests write and read it, by code of their own.</summary>
internal sealed record TestTensor(string Name, string Dtype, long[] Shape, byte[] Bytes);
