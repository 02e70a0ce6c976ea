namespace Wisca.Comparison.Studies;

/// <summary>The command that would make a run of a study by itself.</summary>
public enum RunCommand
{
    /// <summary><c>wisca train</c>.</summary>
    Train,

    /// <summary><c>wisca finetune</c>.</summary>
    Finetune,
}
