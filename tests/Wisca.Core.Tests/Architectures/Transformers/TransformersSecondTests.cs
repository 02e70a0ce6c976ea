namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>The other half of the model types.</summary>
public sealed class TransformersSecondTests(TransformersProcess transformers) : TransformersTests(transformers)
{
    public static new TheoryData<string> Models => [.. JudgedModels.Half(1)];
}
