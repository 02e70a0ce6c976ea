using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tests.Tasks.Data;

/// <summary>Prompts of invented items, letter by letter, as the harness's definitions make them.</summary>
public sealed class TaskPromptTests
{
    [Theory]
    [InlineData(
        "BoolQ/val.jsonl", """{"passage": "Owls -- Owls hunt at night.", "question": "do owls hunt at night", "label": true}""",
        "Owls -- Owls hunt at night.", 1)]
    [InlineData(
        "boolq/dev.jsonl", """{"title": "Owls", "passage": "Owls hunt at night.", "question": "do owls hunt at night", "answer": false}""",
        "Owls -- Owls hunt at night.", 0)]
    [InlineData(
        "llm-foundry/boolq.jsonl",
        """{"query": "Passage: Owls\nQuestion: hunt\nat night.\nQuestion: do owls hunt at night?", "choices": ["no", "yes"], "gold": 1}""",
        "Owls\nQuestion: hunt\nat night.", 1)]
    public void BoolQ(string file, string item, string passage, int gold) =>
        Check("boolq", file, [item], gold, passage + "\nQuestion: do owls hunt at night?\nAnswer:", " no", " yes");

    [Theory]
    [InlineData(
        "arc_easy", "raw/arc/ARC-Easy-Test.jsonl",
        """{"question": {"stem": "What sings?", "choices": [{"text": "a wren", "label": "A"}, """
        + """{"text": "a stone", "label": "B"}, {"text": "the sea", "label": "C"}]}, "answerKey": "C"}""")]
    [InlineData(
        "arc_challenge", "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl",
        """{"question": {"stem": "What sings?", "choices": [{"text": "a wren", "label": "1"}, """
        + """{"text": "a stone", "label": "2"}, {"text": "the sea", "label": "3"}]}, "answerKey": "3"}""")]
    [InlineData(
        "arc_easy", "arc_easy/test.jsonl",
        """{"question": "What sings?", "choices": {"text": ["a wren", "a stone", "the sea"], "label": ["A", "B", "C"]},"""
        + """ "answerKey": "C"}""")]
    public void Arc(string task, string file, string item) =>
        Check(task, file, [item], 2, "Question: What sings?\nAnswer:", " a wren", " a stone", " the sea");

    [Fact]
    public void Piqa()
    {
        using var folder = new TaskFolder()
            .With("piqa/valid.jsonl", """{"goal": "dry a coat", "sol1": "hang it up", "sol2": "bury it"}""")
            .With("piqa/valid-labels.lst", "1");
        Check(folder, "piqa", 1, "Question: dry a coat\nAnswer:", " hang it up", " bury it");
        using var hub = new TaskFolder().With(
            "piqa/validation.jsonl",
            """{"goal": "dry a coat", "sol1": "hang it up", "sol2": "bury it", "label": 0}""");
        Check(hub, "piqa", 0, "Question: dry a coat\nAnswer:", " hang it up", " bury it");
    }

    [Fact]
    public void Winogrande()
    {
        using var folder = new TaskFolder().With(
            "winogrande/dev.jsonl",
            """{"sentence": "The cup fell on the rug but _ did not break .", "option1": "the cup", "option2": "the rug", "answer": "1"}""");
        Partial(folder, "winogrande", 0, " did not break .", "The cup fell on the rug but the cup", "The cup fell on the rug but the rug");
    }

    [Theory]
    [InlineData(
        "Main/test.jsonl",
        """{"question": {"stem": "A wren builds", "choices": [{"text": "nests", "label": "A"}, """
        + """{"text": "roads", "label": "B"}]}, "answerKey": "B"}""")]
    [InlineData(
        "openbookqa/test.jsonl",
        """{"question_stem": "A wren builds", "choices": {"text": ["nests", "roads"], "label": ["A", "B"]}, "answerKey": " B"}""")]
    [InlineData("llm-foundry/openbook_qa.jsonl", """{"query": "A wren builds", "choices": ["nests", "roads"], "gold": 1}""")]
    public void OpenBookQA(string file, string item) => Check("openbookqa", file, [item], 1, "A wren builds", " nests", " roads");

    [Theory]
    [InlineData(
        "COPA/val.jsonl",
        """{"premise": "The rain stopped. ", "choice1": "We went out.", "choice2": "I slept.", "question": "effect", "label": 0}""",
        "The rain stopped therefore", 0)]
    [InlineData(
        "COPA/val.jsonl",
        """{"premise": "The rain stopped.", "choice1": "We went out.", "choice2": "I slept.", "question": "cause", "label": 1}""",
        "The rain stopped because", 1)]
    [InlineData(
        "llm-foundry/copa.jsonl",
        """{"query": "The rain, at last, stopped, because", "choices": ["we went out.", "i slept."], "gold": 1}""",
        "The rain, at last, stopped because", 1)]
    public void Copa_TwoSpaces(string file, string item, string context, int gold) =>
        Check("copa", file, [item], gold, context, "  we went out.", "  i slept.");

    [Fact]
    public void SocialIqa()
    {
        const string item =
            """{"context": "Ann gave Bo a map.", "question": "How does Bo feel?","""
            + """ "answerA": "lost", "answerB": "glad", "answerC": "tall"}""";
        using var folder = new TaskFolder().With("socialiqa-train-dev/dev.jsonl", item).With("socialiqa-train-dev/dev-labels.lst", "2");
        Check(folder, "social_iqa", 1, "Q: Ann gave Bo a map. How does Bo feel?\nA:", " lost", " glad", " tall");
    }

    [Theory]
    [InlineData("lambada_openai/test.jsonl", """{"text": "\"Where,\" she asked,\n\n\"is the key"}""")]
    [InlineData("llm-foundry/lambada_openai.jsonl", """{"context": "\"Where,\" she asked,\n\n\"is the", "continuation": "key"}""")]
    public void Lambada(string file, string item)
    {
        using var folder = new TaskFolder().With(file, item);
        Check(folder, "lambada_openai", 0, "\"Where,\" she asked,\n\n\"is the", " key");
    }

    [Fact]
    public void Lambada_LastWordBehindALineBreak_IsPartOfTheTarget()
    {
        using var folder = new TaskFolder().With(
            "llm-foundry/lambada_openai.jsonl",
            """{"context": "It was the house", "continuation": "of\n\nMoss"}""");
        Check(folder, "lambada_openai", 0, "It was the house", " of\n\nMoss");
    }

    [Fact]
    public void Wsc273_TwoSpaces()
    {
        using var hub = new TaskFolder().With(
            "wsc273/test.jsonl",
            """{"text": "The kettle burnt Ann because it was hot.", "pronoun": "it", "pronoun_loc": 29,"""
            + """ "options": ["The kettle", "Ann"], "label": 0}""",
            """{"text": "Ann met Bo. He lost his map.", "pronoun": "his", "pronoun_loc": 20, "options": ["Ann", "The man"], "label": 1}""",
            """{"text": "Ann saw a hat. It fell.", "pronoun": "It", "pronoun_loc": 15, "options": ["The hat", "Ann"], "label": 0}""");
        var task = hub.Load("wsc273");
        Partial(task.Items[0], 0, "  was hot.", "The kettle burnt Ann because the kettle", "The kettle burnt Ann because Ann");
        Partial(task.Items[1], 1, "  map.", "Ann met Bo. He lost Ann's", "Ann met Bo. He lost the man's");
        Partial(task.Items[2], 0, "  fell.", "Ann saw a hat. The hat", "Ann saw a hat. Ann");

        using var foundry = new TaskFolder().With(
            "llm-foundry/winograd_wsc.jsonl",
            """{"context_options": ["It was hot, so the kettle", "It was hot, so Ann"], "continuation": "cried.", "gold": 1}""",
            """{"context_options": ["We saw the kettle", "We saw Ann"], "continuation": ".", "gold": 0}""");
        task = foundry.Load("wsc273");
        Partial(task.Items[0], 1, "  cried.", "It was hot, so the kettle", "It was hot, so Ann");
        Partial(task.Items[1], 0, " .", "We saw the kettle", "We saw Ann");
    }

    [Fact]
    public void HellaSwag()
    {
        const string item =
            """{"activity_label": "Baking [header] bread", "ctx_a": "A man [step] kneads [title] dough.", "ctx_b": "the DOUGH","""
            + """ "endings": [" rests [title] an hour.", "is [substeps] read  aloud."], "label": 1}""";
        Check(
            "hellaswag", "hellaswag_val.jsonl", [item], 1, "Baking bread: A man kneads. dough. The dough",
            " rests.  an hour.".Replace("  ", " ", StringComparison.Ordinal), " is read aloud.");
    }

    [Fact]
    public void SciQ_JsonArray() =>
        Check(
            "sciq",
            "sciq/test.json",
            [
                "[",
                """{"support": "  Wrens are birds.", "question": "What is a wren?", "distractor1": "a fish","""
                + """ "distractor2": "a tree", "distractor3": "a stone", "correct_answer": "a bird"}""",
                "]",
            ],
            3,
            "Wrens are birds.\nQuestion: What is a wren?\nAnswer:",
            " a fish",
            " a tree",
            " a stone",
            " a bird");

    [Fact]
    public void Blimp() =>
        Check(
            "blimp_drop_argument", "eval/blimp/drop_argument.jsonl",
            ["""{"sentence_good": "The wrens sing.", "sentence_bad": "The wrens sings."}"""], 0, "", " The wrens sing.",
            " The wrens sings.");

    private static void Check(string task, string file, string[] lines, int gold, string context, params string[] continuations)
    {
        using var folder = new TaskFolder().With(file, lines);
        Check(folder, task, gold, context, continuations);
    }

    private static void Check(TaskFolder folder, string task, int gold, string context, params string[] continuations)
    {
        var item = folder.Load(task).Items.ShouldHaveSingleItem();
        item.Requests.Select(request => request.Context).ShouldAllBe(given => given == context);
        item.Requests.Select(request => request.Continuation).ShouldBe(continuations);
        item.Gold.ShouldBe(gold);
    }

    private static void Partial(TaskFolder folder, string task, int gold, string continuation, params string[] contexts) =>
        Partial(folder.Load(task).Items.ShouldHaveSingleItem(), gold, continuation, contexts);

    private static void Partial(TaskItem item, int gold, string continuation, params string[] contexts)
    {
        item.Requests.Select(request => request.Context).ShouldBe(contexts);
        item.Requests.Select(request => request.Continuation).ShouldAllBe(given => given == continuation);
        item.Gold.ShouldBe(gold);
    }
}
