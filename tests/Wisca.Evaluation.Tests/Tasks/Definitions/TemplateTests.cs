using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tests.Tasks.Definitions;

public sealed class TemplateTests
{
    private static readonly JsonObject Document = (JsonObject)JsonNode.Parse("""
        {"text": " Two birds sing. ", "number": 3, "truth": true, "nothing": null, "list": ["a", "b"],
         "question": {"stem": "Who?", "choices": [{"text": "the wren", "label": "A"}, {"text": "the owl", "label": "B"}]}, "key": "B"}
        """)!;

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("Q: {{question.stem}}\nA:", "Q: Who?\nA:")]
    [InlineData("{{ text | trim }}|", "Two birds sing.|")]
    [InlineData("{{text | trim_start}}|", "Two birds sing. |")]
    [InlineData("{{text | trim_end}}|", " Two birds sing.|")]
    [InlineData("{{text | trim | drop_last | lower}}", "two birds sing")]
    [InlineData("{{text | trim | lower_first}}", "two birds sing.")]
    [InlineData("{{text | replace('birds', 'owls')}}", " Two owls sing. ")]
    [InlineData("{{text | before('birds')}}_{{text | after('birds')}}", " Two _ sing. ")]
    [InlineData("{{text | trim | before_last(' ')}}/{{text | trim | after_last(' ')}}", "Two birds/sing.")]
    [InlineData("{{key | before_last(' ')}}/{{key | after_last(' ')}}", "/B")]
    [InlineData("{{key | choose('A', 'first', 'B', 'second')}}", "second")]
    [InlineData("{{question.choices[1].text}} {{list[0]}}", "the owl a")]
    [InlineData("{{number}} {{truth}} {{number | plus(-1)}}", "3 True 2")]
    [InlineData("{braces} and } {", "{braces} and } {")]
    public void Text_Template_IsFilledIn(string template, string expected) => Template.Parse(template).Text(Document).ShouldBe(expected);

    [Fact]
    public void Texts_OneList_GivesItsItemsAndElseOneText()
    {
        Template.Parse("{{question.choices.text}}").Texts(Document).ShouldBe(["the wren", "the owl"]);
        Template.Parse("{{question.stem}}!").Texts(Document).ShouldBe(["Who?!"]);
    }

    [Theory]
    [InlineData("{{key | index(question.choices.label)}}", 1)]
    [InlineData("{{truth}}", 1)]
    [InlineData("{{number}}", 3)]
    [InlineData("2", 2)]
    public void Index_Template_IsANumber(string template, int expected) => Template.Parse(template).Index(Document).ShouldBe(expected);

    [Theory]
    [InlineData("{{missing}}", "'missing' is missing")]
    [InlineData("{{question.missing}}", "'question.missing' is missing")]
    [InlineData("{{question.choices.missing}}", "'question.choices.missing' is missing")]
    [InlineData("{{list[2]}}", "has no item 2")]
    [InlineData("{{list}}!", "is a list, expected text")]
    [InlineData("{{question}}", "is an object, expected text")]
    [InlineData("{{nothing}}", "is null, expected text")]
    [InlineData("{{text | before('cats')}}", "no 'cats'")]
    [InlineData("{{text | choose('a', 'b')}}", "expected one of a")]
    [InlineData("{{text | index(question.choices.label)}}", "is none of A, B")]
    [InlineData("{{text | index(key)}}", "no list")]
    [InlineData("{{list | trim}}", "not text")]
    [InlineData("{{text | plus(1)}}", "expected a whole number")]
    public void Text_DocumentOfAnotherForm_SaysWhatIsWrong(string template, string expected) =>
        Should.Throw<WiscaException>(() => Template.Parse(template).Text(Document)).Message.ShouldContain(expected);

    [Theory]
    [InlineData("{{text", "without '}}'")]
    [InlineData("{{}}", "malformed")]
    [InlineData("{{text | }}", "malformed")]
    [InlineData("{{text | trim(}}", "malformed")]
    [InlineData("{{text | shout}}", "no filter is called 'shout'")]
    [InlineData("{{text | trim('x')}}", "has 1 arguments, expected 0")]
    [InlineData("{{text | replace('x')}}", "has 1 arguments, expected 2")]
    [InlineData("{{text | choose('x')}}", "expected an even number")]
    public void TryParse_Malformed_SaysWhatIsWrong(string template, string expected)
    {
        Template.TryParse(template, out _, out string? fault).ShouldBeFalse();
        fault.ShouldContain(expected);
    }
}
