using Mono.Cecil;

namespace Wisca.Cli.Tests.Architecture;

/// <summary>Which namespaces of an assembly need which others of it: by signatures, attributes and instructions, as compiled.</summary>
internal sealed class NamespaceGraph
{
    // From namespace to namespace, and a type of each by which one sees why.
    private readonly SortedDictionary<string, SortedDictionary<string, string>> _edges = new(StringComparer.Ordinal);

    /// <summary>Adds what a type needs.</summary>
    /// <param name="from">The type's namespace.</param>
    /// <param name="to">The namespace of what it needs.</param>
    /// <param name="example">What to show of it.</param>
    public void Add(string from, string to, string example)
    {
        if (from == to) return;
        if (!_edges.TryGetValue(from, out var targets)) _edges.Add(from, targets = new(StringComparer.Ordinal));
        targets.TryAdd(to, example);
    }

    public static NamespaceGraph Of(string assembly)
    {
        var graph = new NamespaceGraph();
        using var module = ModuleDefinition.ReadModule(assembly);
        foreach (var type in module.GetTypes())
        {
            foreach (var needed in Needed(type))
            {
                // What another assembly defines makes no ring in this one.
                if (Outermost(needed) is var other && other.Scope == module && other.Namespace.Length > 0)
                    graph.Add(Outermost(type).Namespace, other.Namespace, $"{Outermost(type).Name} needs {other.Name}");
            }
        }

        return graph;
    }

    /// <summary>The rings, each with what makes it one; empty where there are none.</summary>
    public IReadOnlyList<string> Rings()
    {
        var reached = _edges.Keys.ToDictionary(from => from, Reached, StringComparer.Ordinal);
        return
        [
            .. reached
                .Where(entry => entry.Value.Contains(entry.Key))
                .Select(entry => entry.Value.Where(other => reached.GetValueOrDefault(other)?.Contains(entry.Key) ?? false).ToHashSet())
                .Distinct(HashSet<string>.CreateSetComparer())
                .Select(ring => string.Join("; ", ring.SelectMany(from => _edges[from]
                    .Where(edge => ring.Contains(edge.Key))
                    .Select(edge => $"{from} -> {edge.Key} ({edge.Value})")).Order(StringComparer.Ordinal))),
        ];
    }

    private HashSet<string> Reached(string from)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>([from]);
        while (open.TryPop(out string? next))
        {
            foreach (string target in _edges.GetValueOrDefault(next)?.Keys ?? Enumerable.Empty<string>())
            {
                if (reached.Add(target)) open.Push(target);
            }
        }

        return reached;
    }

    private static IEnumerable<TypeReference> Needed(TypeDefinition type) =>
        new[] { type.BaseType }
            .Concat(type.Interfaces.Select(implemented => implemented.InterfaceType))
            .Concat(type.Fields.Select(field => field.FieldType))
            .Concat(type.Methods.SelectMany(Needed))
            .Concat(Attributes([type, .. type.Fields, .. type.Properties, .. type.Methods]))
            .Concat(type.GenericParameters.SelectMany(parameter => parameter.Constraints, (_, constraint) => constraint.ConstraintType))
            .Where(needed => needed is not null)
            .SelectMany(Parts);

    private static IEnumerable<TypeReference> Needed(MethodDefinition method)
    {
        var constraints = method.GenericParameters.SelectMany(parameter => parameter.Constraints);
        var needed = Signature(method).Concat(constraints.Select(constraint => constraint.ConstraintType));
        if (!method.HasBody) return needed;
        return needed
            .Concat(method.Body.Variables.Select(variable => variable.VariableType))
            .Concat(method.Body.ExceptionHandlers.Select(handler => handler.CatchType))
            .Concat(
                method.Body.Instructions.SelectMany(instruction => instruction.Operand switch
                {
                    MethodReference called => Signature(called),
                    FieldReference field => [field.DeclaringType, field.FieldType],
                    TypeReference other => [other],
                    _ => Enumerable.Empty<TypeReference>(),
                }));
    }

    private static IEnumerable<TypeReference> Signature(MethodReference method) =>
    [
        method.DeclaringType, method.ReturnType, .. method.Parameters.Select(parameter => parameter.ParameterType),
        .. method is GenericInstanceMethod generic ? generic.GenericArguments : [],
    ];

    private static IEnumerable<TypeReference> Attributes(IEnumerable<ICustomAttributeProvider> owners) =>
        owners
            .SelectMany(owner => owner.CustomAttributes)
            .SelectMany(attribute => attribute
                .ConstructorArguments.Select(argument => argument.Value).OfType<TypeReference>()
                .Append(attribute.AttributeType));

    /// <summary>A type without arrays, pointers and the like, and its generic arguments.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference type) => type switch
    {
        GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Parts)],
        FunctionPointerType pointer =>
            pointer.Parameters.Select(parameter => parameter.ParameterType).Append(pointer.ReturnType).SelectMany(Parts),
        TypeSpecification wrapped => Parts(wrapped.ElementType),
        GenericParameter => [],
        _ => [type],
    };

    private static TypeReference Outermost(TypeReference type)
    {
        while (type.DeclaringType is { } outer) type = outer;
        return type;
    }
}
