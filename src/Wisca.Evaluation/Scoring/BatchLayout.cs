using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Scoring;

/// <summary>Where the tokens of a batch lie, and which of them predict what.</summary>
internal sealed class BatchLayout
{
    // Padding stands behind everything that counts, in a branch that nothing else is in.
    private const long Padding = -1;

    private readonly long[] _ids, _positions, _branches, _shape;
    private readonly bool _forks;

    public BatchLayout(IReadOnlyList<ScoringRow> rows)
    {
        int width = rows.Max(row => row.Length);
        _shape = [rows.Count, width];
        _ids = new long[rows.Count * width];
        _positions = new long[_ids.Length];
        _branches = new long[_ids.Length];
        Array.Fill(_branches, Padding);
        _forks = rows.Any(row => row.Forks);
        var places = new List<long>();
        var predictions = new List<Prediction>();
        int number = 0;
        for (int row = 0; row < rows.Count; row++)
        {
            int at = row * width;
            int[] context = rows[row].Context;
            Lay(context, 0, 0);
            int trunk = places.Count;
            places.Add(at - 1);
            for (int branch = 0; branch < rows[row].Branches.Count; branch++, number++)
            {
                int[] continuation = rows[row].Branches[branch].Continuation;
                Lay(continuation.AsSpan(0, continuation.Length - 1), context.Length, branch + 1);
                predictions.Add(new Prediction(trunk, continuation[0], number));
                for (int i = 1; i < continuation.Length; i++)
                {
                    predictions.Add(new Prediction(places.Count, continuation[i], number));
                    places.Add(at - continuation.Length + i);
                }
            }

            void Lay(ReadOnlySpan<int> ids, int position, int branch)
            {
                foreach (int id in ids)
                {
                    (_ids[at], _positions[at], _branches[at]) = (id, position++, branch);
                    at++;
                }
            }
        }

        Places = [.. places];
        Predictions = [.. predictions.OrderBy(prediction => prediction.Place)];
    }

    /// <summary>The tokens of the flattened batch whose logits are wanted.</summary>
    public long[] Places { get; }

    /// <summary>What they predict, in the order of <see cref="Prediction.Place"/>.</summary>
    public Prediction[] Predictions { get; }

    /// <summary>The position in its sequence of one of <see cref="Places"/>.</summary>
    public long Position(int place) => _positions[Places[place]];

    /// <summary>The model's hidden states, [rows, width, hidden].</summary>
    public Tensor Hidden(Decoder decoder, CancellationToken cancellation)
    {
        var ids = tensor(_ids, _shape, device: decoder.Device);
        return _forks
            ? decoder.Hidden(
                ids, new Branching(tensor(_positions, _shape, device: decoder.Device), tensor(_branches, _shape, device: decoder.Device)),
                cancellation)
            : decoder.Hidden(ids, cancellation);
    }

    /// <summary>A token that is predicted.</summary>
    /// <param name="Place">The number in <see cref="Places"/> of what predicts it.</param>
    /// <param name="Token">Its id.</param>
    /// <param name="Branch">The number of its continuation in the batch.</param>
    internal readonly record struct Prediction(int Place, int Token, int Branch);
}
