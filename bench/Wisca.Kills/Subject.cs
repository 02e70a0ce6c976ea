namespace Wisca.Kills;

/// <summary>A command that is killed, and what has to hold afterwards.</summary>
internal abstract class Subject(string name)
{
    /// <summary>The end of the names under which something is written until it is whole.</summary>
    protected const string Working = ".wisca-partial";

    public string Name { get; } = name;

    /// <summary>How many of the kills it gets, in proportion to the others: the slow get fewer.</summary>
    public int Share { get; init; } = 3;

    /// <summary>How long the command takes when nobody kills it.</summary>
    public TimeSpan Time { get; set; }

    /// <summary>Kills after which the old was there, the new, and something unfinished beside it.</summary>
    public int Old { get; protected set; }

    public int New { get; protected set; }

    public int Leftovers { get; protected set; }

    /// <summary>Kills after which an old output stood beside a new one, and readers refused the two.</summary>
    public int Torn { get; protected set; }

    /// <summary>What is killed.</summary>
    public abstract string[] Command { get; }

    /// <summary>Makes what the command replaces or begins with, and learns what it makes.</summary>
    public abstract void Prepare();

    /// <summary>True as soon as the command has begun to write.</summary>
    public abstract bool Writes();

    /// <summary>After a kill: each place holds the old or the new, and the next run succeeds and clears what was left.</summary>
    /// <exception cref="KillFault">It does not.</exception>
    public abstract void Check();
}
