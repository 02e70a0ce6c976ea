using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tests.Tasks.Data;

/// <summary>Few-shot examples, against draws that CPython made: <c>random.Random(1234)</c>,
/// then <c>sample(range(n), k)</c> for each document in turn.</summary>
public sealed class FewshotTests
{
    [Fact]
    public void Load_ExamplesFromTraining_AreTheHarnessesDraws()
    {
        // Evaluated on the test split: k examples are drawn, sample(range(5), 2) = [3, 0], [0, 4], [4, 0].
        using var folder = new TaskFolder()
            .With("arc_easy/train.jsonl", [.. Enumerable.Range(0, 5).Select(Arc)])
            .With("arc_easy/test.jsonl", Arc(7), Arc(8), Arc(9));
        var task = folder.Load("arc_easy", new TaskOptions { Fewshot = 2 });
        task.Fewshot.ShouldBe(2);
        task.Files.Count.ShouldBe(2);
        int[][] draws = [[3, 0], [0, 4], [4, 0]];
        for (int i = 0; i < 3; i++)
        {
            string examples = string.Concat(draws[i].Select(number => $"Question: Which is {number}?\nAnswer: it is {number}\n\n"));
            task.Items[i].Requests[0].Context.ShouldBe($"{examples}Question: Which is {i + 7}?\nAnswer:");
        }
    }

    [Fact]
    public void Load_NoTestSplitInTheHarness_DrawsOneMore()
    {
        // sample(range(5), 2) again, of which the first is used.
        using var folder = new TaskFolder()
            .With("winogrande/train_xl.jsonl", [.. Enumerable.Range(0, 5).Select(number => Winogrande($"Bird {number} saw _ fly"))])
            .With("winogrande/dev.jsonl", Winogrande("A wren saw _ sing"), Winogrande("An owl saw _ sing"));
        var task = folder.Load("winogrande", new TaskOptions { Fewshot = 1 });
        task.Items[0].Requests[1].Context.ShouldBe("Bird 3 saw Bo fly\n\nA wren saw Bo");
        task.Items[1].Requests[0].Context.ShouldBe("Bird 0 saw Bo fly\n\nAn owl saw Ann");
    }

    /// <summary>The harness looks for the document among its examples only where a task has no test split.</summary>
    [Fact]
    public void Load_TheDocumentItselfIsDrawnFromTheTestSplit_StaysAsInTheHarness()
    {
        // sample(range(5), 2) = [3, 0], [0, 4], [4, 0]: document 0 drew itself.
        using var folder = new TaskFolder().With(
            "lambada_openai/test.jsonl",
            [.. Enumerable.Range(0, 5).Select(number => $$"""{"text": "bird {{number}} sang"}""")]);
        var task = folder.Load("lambada_openai", new TaskOptions { Fewshot = 2 });
        task.Items[0].Requests[0].Context.ShouldBe("bird 3  sang\n\nbird 0  sang\n\nbird 0");
        task.Items[1].Requests[0].Context.ShouldBe("bird 0  sang\n\nbird 4  sang\n\nbird 1");
        task.Files.ShouldHaveSingleItem();
    }

    [Fact]
    public void Load_TheDocumentItselfIsDrawnWithoutATestSplit_IsDropped()
    {
        // sample(range(5), 2) = [3, 0], [0, 4], [4, 0]: one is used, the other where the first is the document.
        using var folder = new TaskFolder()
            .With("winogrande/train_xl.jsonl", [.. Enumerable.Range(0, 5).Select(number => Winogrande($"Bird {number} saw _ fly"))])
            .With("winogrande/dev.jsonl", Winogrande("Bird 3 saw _ fly"), Winogrande("Bird 4 saw _ fly"));
        var task = folder.Load("winogrande", new TaskOptions { Fewshot = 1 });
        task.Items[0].Requests[1].Context.ShouldBe("Bird 0 saw Bo fly\n\nBird 3 saw Bo");
        task.Items[1].Requests[0].Context.ShouldBe("Bird 0 saw Bo fly\n\nBird 4 saw Ann");
    }

    [Fact]
    public void Load_TaskThatSaysZero_StaysAtZero()
    {
        using var folder = new TaskFolder().With("blimp/causative.jsonl", """{"sentence_good": "a", "sentence_bad": "b"}""");
        var task = folder.Load("blimp_causative", new TaskOptions { Fewshot = 5 });
        task.Fewshot.ShouldBe(0);
        task.Items[0].Requests[0].Context.ShouldBeEmpty();
    }

    [Fact]
    public void Load_NoTrainingFileOrTooSmall_SaysSo()
    {
        using var folder = new TaskFolder().With("arc_easy/test.jsonl", Arc(0));
        Should
            .Throw<WiscaException>(() => folder.Load("arc_easy", new TaskOptions { Fewshot = 1 }))
            .Message.ShouldContain("few-shot examples come from the train split, and");
        folder.With("arc_easy/train.jsonl", Arc(1), Arc(2));
        Should
            .Throw<WiscaException>(() => folder.Load("arc_easy", new TaskOptions { Fewshot = 3 }))
            .Message.ShouldContain("has 2 documents, expected at least 3");
        using var foundry = new TaskFolder().With("llm-foundry/boolq.jsonl", """{"query": "Passage: a\nQuestion: b?", "gold": 0}""");
        Should
            .Throw<WiscaException>(() => foundry.Load("boolq", new TaskOptions { Fewshot = 1 }))
            .Message.ShouldContain("'llm-foundry' does not have");
    }

    private static string Arc(int number) =>
        $$$"""{"question": "Which is {{{number}}}?", "choices": {"text": ["none", "it is {{{number}}}"], "label": ["A", "B"]},"""
        + """ "answerKey": "B"}""";

    private static string Winogrande(string sentence) =>
        $$"""{"sentence": "{{sentence}}", "option1": "Ann", "option2": "Bo", "answer": "2"}""";
}
