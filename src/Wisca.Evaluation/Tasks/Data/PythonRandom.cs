namespace Wisca.Evaluation.Tasks.Data;

/// <summary>
/// The generator of Python's <c>random.Random</c>: MT19937 (Matsumoto and Nishimura 1998), seeded with a whole number as CPython does, and
/// the draws of it that the harness makes.
/// </summary>
internal sealed class PythonRandom
{
    private const int Size = 624, Middle = 397;
    private readonly uint[] _state = new uint[Size];
    private int _next = Size;

    public PythonRandom(ulong seed)
    {
        uint[] key = seed > uint.MaxValue ? [(uint)seed, (uint)(seed >> 32)] : [(uint)seed];
        _state[0] = 19650218;
        for (uint i = 1; i < Size; i++) _state[i] = (1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + i;
        uint at = 1, word = 0;
        for (int step = Math.Max(Size, key.Length); step > 0; step--)
        {
            _state[at] = (_state[at] ^ ((_state[at - 1] ^ (_state[at - 1] >> 30)) * 1664525)) + key[word] + word;
            Advance(ref at);
            word = (word + 1) % (uint)key.Length;
        }

        for (int step = Size - 1; step > 0; step--)
        {
            _state[at] = (_state[at] ^ ((_state[at - 1] ^ (_state[at - 1] >> 30)) * 1566083941)) - at;
            Advance(ref at);
        }

        _state[0] = 0x80000000;
    }

    /// <summary>A number from 0 to below 1: <c>random()</c>.</summary>
    public double NextDouble()
    {
        uint high = Next() >> 5, low = Next() >> 6;
        return ((high * 67108864.0) + low) / 9007199254740992.0;
    }

    /// <summary>A whole number from 0 to below a bound: <c>randrange(bound)</c>.</summary>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        int shift = int.LeadingZeroCount(bound);
        while (true)
        {
            int drawn = (int)(Next() >> shift);
            if (drawn < bound) return drawn;
        }
    }

    /// <summary>Different indices in the order drawn: <c>sample(range(population), count)</c>.</summary>
    public int[] Sample(int population, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, population);
        int[] drawn = new int[count];

        // From this size on a set takes less room than a list, and CPython's draws differ with it.
        double setSize = 21 + (count > 5 ? Math.Pow(4, Math.Ceiling(Math.Log(count * 3) / Math.Log(4))) : 0);
        if (population <= setSize)
        {
            int[] pool = [.. Enumerable.Range(0, population)];
            for (int i = 0; i < count; i++)
            {
                int at = Below(population - i);
                drawn[i] = pool[at];
                pool[at] = pool[population - i - 1];
            }

            return drawn;
        }

        var taken = new HashSet<int>();
        for (int i = 0; i < count; i++)
        {
            int index = Below(population);
            while (!taken.Add(index)) index = Below(population);
            drawn[i] = index;
        }

        return drawn;
    }

    private void Advance(ref uint at)
    {
        if (++at < Size) return;
        _state[0] = _state[Size - 1];
        at = 1;
    }

    private uint Next()
    {
        if (_next == Size) Twist();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    private void Twist()
    {
        for (int i = 0; i < Size; i++)
        {
            int after = i + 1 < Size ? i + 1 : 0, far = i + Middle < Size ? i + Middle : i + Middle - Size;
            uint y = (_state[i] & 0x80000000) | (_state[after] & 0x7fffffff);
            _state[i] = _state[far] ^ (y >> 1) ^ ((y & 1) * 0x9908b0df);
        }

        _next = 0;
    }
}
