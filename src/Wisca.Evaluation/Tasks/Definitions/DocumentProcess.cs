using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>What is done to a document before its templates are filled in, where templates alone are not enough.</summary>
public enum DocumentProcess
{
    /// <summary>Nothing.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>HellaSwag: <c>query</c> and <c>choices</c> without the artefacts of WikiHow.</summary>
    [JsonStringEnumMemberName("hellaswag")]
    HellaSwag,

    /// <summary>WSC273: <c>contexts</c> with the pronoun replaced by each option, and the <c>continuation</c> behind it.</summary>
    [JsonStringEnumMemberName("wsc273")]
    Winograd,

    /// <summary>llm-foundry's BoolQ: <c>passage</c> and <c>question</c> from its <c>query</c>.</summary>
    [JsonStringEnumMemberName("llm_foundry_boolq")]
    FoundryBoolQ,

    /// <summary>llm-foundry's COPA: <c>premise</c>, <c>question</c> (cause or effect),
    /// <c>choice1</c>, <c>choice2</c> and <c>label</c>.</summary>
    [JsonStringEnumMemberName("llm_foundry_copa")]
    FoundryCopa,

    /// <summary>llm-foundry's LAMBADA: the whole <c>text</c>.</summary>
    [JsonStringEnumMemberName("llm_foundry_lambada")]
    FoundryLambada,

    /// <summary>llm-foundry's WSC273: <c>contexts</c> and the <c>continuation</c> with the space that stood before it.</summary>
    [JsonStringEnumMemberName("llm_foundry_wsc273")]
    FoundryWinograd,
}
