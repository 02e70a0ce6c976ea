using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using TorchSharp;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>What the analyzer of banned symbols does not see, such as x += y on tensors, is seen in the compiled assemblies.</summary>
public sealed class TensorOperatorTests
{
    [Fact]
    public void Assemblies_UseNoOperatorThatForgetsItsScalar()
    {
        string[] assemblies =
        [
            .. Directory
                .GetFiles(AppContext.BaseDirectory, "*isca*.dll")
                .Where(path => !Path.GetFileName(path).Contains("Tests", StringComparison.Ordinal)),
        ];
        assemblies.Length.ShouldBeGreaterThanOrEqualTo(7);
        foreach (string path in assemblies) Forgetful(Assembly.LoadFrom(path)).ShouldBeEmpty(path);
    }

    [Fact]
    public void Assembly_WithSuchOperators_IsSeen()
    {
        var x = torch.ones(2);
        x += x;
        x *= 0.5;
        x = torch.clamp_min(x, 0.25);
        x.sum().ToDouble().ShouldBe(2);
        Forgetful(typeof(TensorOperatorTests).Assembly)
            .ShouldBe(["op_Addition(Tensor, Tensor)", "op_Implicit(Double)", "op_Multiply(Tensor, Double)"], ignoreOrder: true);
    }

    /// <summary>Members of TorchSharp that make a Scalar and do not hold it while libtorch reads it: additions, operators with numbers, and
    /// numbers that turn into Scalars by themselves.</summary>
    private static List<string> Forgetful(Assembly assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly.Location));
        var reader = file.GetMetadataReader();
        return
        [
            .. reader
                .MemberReferences.Where(handle =>
                    reader.GetMemberReference(handle).Parent.Kind == HandleKind.TypeReference
                    && reader.GetString(reader.GetMemberReference(handle).Name).StartsWith("op_", StringComparison.Ordinal))
                .Select(handle => assembly.ManifestModule.ResolveMethod(MetadataTokens.GetToken(handle))!)
                .Where(method =>
                    method.DeclaringType == typeof(Scalar)
                    || (
                        method.DeclaringType == typeof(torch.Tensor)
                        && (
                            method.Name == "op_Addition"
                            || method
                                .GetParameters()
                                .Any(parameter => parameter.ParameterType.IsPrimitive || parameter.ParameterType == typeof(Scalar)))))
                .Select(method =>
                    $"{method.Name}({string.Join(", ", method.GetParameters().Select(parameter => parameter.ParameterType.Name))})"),
        ];
    }
}
