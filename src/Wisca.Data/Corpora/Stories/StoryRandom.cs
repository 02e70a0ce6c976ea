namespace Wisca.Data.Corpora.Stories;

/// <summary>SplitMix64 (Steele, Lea and Flood 2014), written out so that stories do not change with the runtime.</summary>
internal sealed class StoryRandom
{
    private const ulong Step = 0x9E3779B97F4A7C15;
    private ulong _state;

    /// <param name="seed">Neighbouring seeds give unrelated sequences:
    /// the seed is mixed, not merely the start of one long sequence.</param>
    public StoryRandom(ulong seed) => _state = Mix(seed);

    public static ulong Mix(ulong value)
    {
        value += Step;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    /// <summary>A number from 0 to below a bound.</summary>
    public int Below(int bound)
    {
        ulong value = Mix(_state);
        _state += Step;
        return (int)(((value >> 32) * (uint)bound) >> 32);
    }
}
