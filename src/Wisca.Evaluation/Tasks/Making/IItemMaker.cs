using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>Makes the questions of one task.</summary>
internal interface IItemMaker
{
    /// <summary>The task's name behind <c>stories_</c>, and that of its file.</summary>
    string Name { get; }

    /// <summary>What it asks.</summary>
    string About { get; }

    /// <summary>Number of choices of every question.</summary>
    int Choices { get; }

    /// <summary>True where the choices are contexts, false where they are continuations.</summary>
    bool ChoosesContext { get; }

    /// <summary>Questions, as many as there are, in an order that is random already; they may be asked for one by one.</summary>
    /// <param name="text">The sentences.</param>
    /// <param name="random">Every choice that is made.</param>
    IEnumerable<MadeItem> Make(StorySentences text, PythonRandom random);
}
