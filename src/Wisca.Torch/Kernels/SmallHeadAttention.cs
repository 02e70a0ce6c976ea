using System.Numerics;
using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Wisca.Torch.Kernels;

/// <summary>
/// Causal attention of sequences that begin here, RoPE included, for heads of few channels in float32 on the CPU. libtorch's kernel hands
/// each block to a matrix library, which packs more than it multiplies at 16 to 64 channels; here a key and value head is packed once
/// for all its query heads and both passes, and rotated as it is packed. Scores are kept for a block of queries only. Letters:
/// B sequences, T positions, H query heads, G kv heads, d channels. No second derivatives.
/// </summary>
internal sealed class SmallHeadAttention : autograd.SingleTensorFunction<SmallHeadAttention>
{
    // Queries whose scores are computed together.
    private const int Block = 32;

    // Beyond, libtorch's kernel is as fast.
    private const int MostChannels = 64;

    [ThreadStatic]
    private static float[]? _scratch;

    /// <inheritdoc />
    public override string Name => nameof(SmallHeadAttention);

    /// <summary>True where heads of so many channels are computed here.</summary>
    public static bool Takes(int headDim) =>
        Vector.IsHardwareAccelerated && headDim <= MostChannels && headDim % SmallProduct.Width == 0;

    /// <summary>The values that each query sees, mixed: [B, T, H, d].</summary>
    /// <param name="q">Queries [B, T, H, d], not rotated, float32 without gaps.</param>
    /// <param name="k">Keys [B, T, G, d] likewise.</param>
    /// <param name="v">Values [B, T, G, d] likewise.</param>
    /// <param name="cosines">RoPE's cosines, [T, rotated channels], or [B x T, ...] where rows differ; null without RoPE.</param>
    /// <param name="sines">Its sines, the first of each pair negated; likewise.</param>
    /// <param name="shape">The rest.</param>
    public static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? cosines, Tensor? sines, AttentionShape shape) =>
        apply(q, k, v, cosines!, sines!, shape);

    /// <inheritdoc />
    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor q = (Tensor)vars[0], k = (Tensor)vars[1], v = (Tensor)vars[2];
        Tensor? cosines = (Tensor?)vars[3], sines = (Tensor?)vars[4];
        var shape = (AttentionShape)vars[5];
        Tensor mixed = empty_like(q), sums = empty([q.shape[0], shape.Heads, q.shape[1]]);
        var work = new Work(q, k, v, cosines, sines, shape)
        {
            Mixed = TensorMemory.Of(mixed),
            Sums = TensorMemory.Of(sums),
        };
        Workers.Run(work.Units, work.Forward);
        ctx.save_data(nameof(AttentionShape), shape);
        ctx.save_for_backward([q, k, v, mixed, sums, cosines!, sines!]);
        return mixed;
    }

    /// <inheritdoc />
    public override unsafe List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var shape = (AttentionShape)ctx.get_data(nameof(AttentionShape));
        var saved = ctx.get_saved_variables();
        Tensor dq = empty_like(saved[0]), dk = empty_like(saved[1]), dv = empty_like(saved[2]);
        var gradient = grad_output.contiguous();
        var work = new Work(saved[0], saved[1], saved[2], saved[5], saved[6], shape)
        {
            Mixed = TensorMemory.Of(saved[3]),
            Sums = TensorMemory.Of(saved[4]),
            Gradient = TensorMemory.Of(gradient),
            QueryGradient = TensorMemory.Of(dq),
            KeyGradient = TensorMemory.Of(dk),
            ValueGradient = TensorMemory.Of(dv),
        };
        Workers.Run(work.Units, work.Backward);
        gradient.Dispose();
        foreach (var tensor in saved) tensor?.Dispose();
        grad_output.Dispose();
        return ManagedGradients.Return(dq, dk, dv, null, null, null);
    }

    private static float[] Scratch(int size)
    {
        if (_scratch is null || _scratch.Length < size) _scratch = GC.AllocateUninitializedArray<float>(size, pinned: true);
        return _scratch;
    }

    /// <summary>Pointers and sizes of one call; a unit of work is a key and value head of a sequence.</summary>
    private sealed unsafe class Work
    {
        private readonly int _length, _heads, _kvHeads, _dim, _panels, _padded, _stride, _rotated;
        private readonly float _scale;
        private readonly bool _halves, _ownPositions;
        private readonly int[]? _hidden;
        private readonly float* _q, _k, _v, _cos, _sin;

        public Work(Tensor q, Tensor k, Tensor v, Tensor? cosines, Tensor? sines, AttentionShape shape)
        {
            (_heads, _kvHeads, _dim, _halves) = (shape.Heads, shape.KvHeads, shape.HeadDim, shape.Halves);
            _scale = (float)shape.Scale;
            _hidden = shape.HiddenKeys;
            _length = (int)q.shape[1];
            Units = (int)q.shape[0] * _kvHeads;
            _q = TensorMemory.Of(q);
            _k = TensorMemory.Of(k);
            _v = TensorMemory.Of(v);
            if (cosines is not null)
            {
                _cos = TensorMemory.Of(cosines);
                _sin = TensorMemory.Of(sines!);
                _rotated = (int)cosines.shape[1];
                _ownPositions = cosines.shape[0] > _length;
            }

            int width = SmallProduct.Width;
            _panels = _dim / width;
            _padded = (_length + width - 1) / width * width;

            // Rows of scores a power of two apart would fall into the same lines of the cache.
            _stride = _padded + Vector<float>.Count;
        }

        public int Units { get; }

        public float* Mixed { get; init; }

        public float* Sums { get; init; }

        public float* Gradient { get; init; }

        public float* QueryGradient { get; init; }

        public float* KeyGradient { get; init; }

        public float* ValueGradient { get; init; }

        public void Forward(int unit)
        {
            int width = SmallProduct.Width, matrix = _padded * _dim;
            fixed (float* scratch = Scratch((2 * matrix) + (Block * (_dim + _stride)) + matrix))
            {
                float* keys = scratch, values = keys + matrix, query = values + matrix, scores = query + (Block * _dim),
                    rows = scores + (Block * _stride);
                var (batch, group) = Math.DivRem(unit, _kvHeads);
                Rows(_k, _kvHeads, batch, group, rows, rotate: true);
                Transpose(rows, keys);
                Rows(_v, _kvHeads, batch, group, rows, rotate: false);
                Panels(rows, values);
                int shared = _heads / _kvHeads;
                float* inverse = stackalloc float[Block];
                for (int head = group * shared; head < (group + 1) * shared; head++)
                {
                    for (int begin = 0; begin < _length; begin += Block)
                    {
                        int count = Math.Min(Block, _length - begin), seen = begin + count;
                        Queries(batch, head, begin, count, query);
                        Scores(query, count, seen, keys, scores);
                        float* sums = Sums + (((nint)batch * _heads) + head) * _length + begin;
                        float* mixed = At(Mixed, _heads, batch, begin, head);
                        nint row = _heads * _dim;
                        Hide(batch, begin, count, scores);
                        for (int i = 0; i < count; i++)
                            (sums[i], inverse[i]) = Softmax(scores + (i * _stride), begin + i + 1, seen);
                        for (int panel = 0; panel < _panels; panel++)
                        {
                            SmallProduct.Multiply(
                                scores, _stride, 1, count, values + (panel * _padded * width), width, seen, mixed + (panel * width), row,
                                add: false);
                        }

                        for (int i = 0; i < count; i++) Scale(mixed + (i * row), inverse[i]);
                    }
                }
            }
        }

        public void Backward(int unit)
        {
            int width = SmallProduct.Width, matrix = _padded * _dim;
            fixed (float* scratch = Scratch((6 * matrix) + (Block * ((2 * _dim) + (2 * _stride)))))
            {
                float* keysAcross = scratch, keys = keysAcross + matrix, valuesAcross = keys + matrix,
                    keyGradient = valuesAcross + matrix, valueGradient = keyGradient + matrix, rows = valueGradient + matrix,
                    query = rows + matrix, turned = query + (Block * _dim), scores = turned + (Block * _dim),
                    changes = scores + (Block * _stride);
                var (batch, group) = Math.DivRem(unit, _kvHeads);
                Rows(_k, _kvHeads, batch, group, rows, rotate: true);
                Transpose(rows, keysAcross);
                Panels(rows, keys);
                Rows(_v, _kvHeads, batch, group, rows, rotate: false);
                Transpose(rows, valuesAcross);
                new Span<float>(keyGradient, 2 * matrix).Clear();
                int shared = _heads / _kvHeads;
                nint row = _heads * _dim;
                for (int head = group * shared; head < (group + 1) * shared; head++)
                {
                    for (int begin = 0; begin < _length; begin += Block)
                    {
                        int count = Math.Min(Block, _length - begin), seen = begin + count;
                        Queries(batch, head, begin, count, query);
                        Scores(query, count, seen, keysAcross, scores);
                        float* gradient = At(Gradient, _heads, batch, begin, head), mixed = At(Mixed, _heads, batch, begin, head);
                        for (int at = 0; at < seen; at += width)
                        {
                            SmallProduct.Multiply(
                                gradient, row, 1, count, valuesAcross + (at * _dim), width, _dim, changes + at, _stride, add: false);
                        }

                        float* sums = Sums + (((nint)batch * _heads) + head) * _length + begin;
                        Hide(batch, begin, count, scores);
                        for (int i = 0; i < count; i++)
                        {
                            float* probabilities = scores + (i * _stride);
                            Probabilities(probabilities, sums[i], begin + i + 1, seen);
                            Changes(
                                changes + (i * _stride), probabilities, Dot(gradient + (i * row), mixed + (i * row)), seen);
                        }

                        for (int panel = 0; panel < _panels; panel++)
                        {
                            int at = panel * width;
                            SmallProduct.Multiply(
                                scores, 1, _stride, seen, gradient + at, row, count, valueGradient + at, _dim, add: true);
                            SmallProduct.Multiply(
                                changes, 1, _stride, seen, query + at, _dim, count, keyGradient + at, _dim, add: true);
                            SmallProduct.Multiply(
                                changes, _stride, 1, count, keys + (panel * _padded * width), width, seen, turned + at, _dim, add: false);
                        }

                        for (int i = 0; i < count; i++)
                        {
                            Scale(turned + (i * _dim), _scale);
                            TurnBack(turned + (i * _dim), batch, begin + i, At(QueryGradient, _heads, batch, begin + i, head));
                        }
                    }
                }

                for (int i = 0; i < _length; i++)
                {
                    TurnBack(keyGradient + (i * _dim), batch, i, At(KeyGradient, _kvHeads, batch, i, group));
                    new Span<float>(valueGradient + (i * _dim), _dim).CopyTo(
                        new Span<float>(At(ValueGradient, _kvHeads, batch, i, group), _dim));
                }
            }
        }

        private float* At(float* tensor, int heads, int batch, int position, int head) =>
            tensor + (((((nint)batch * _length) + position) * heads) + head) * _dim;

        /// <summary>A head's rows [T, d], with zeros behind them up to the padded length.</summary>
        private void Rows(float* tensor, int heads, int batch, int head, float* rows, bool rotate)
        {
            for (int i = 0; i < _length; i++)
            {
                float* from = At(tensor, heads, batch, i, head), to = rows + (i * _dim);
                if (rotate) Turn(from, batch, i, to);
                else new Span<float>(from, _dim).CopyTo(new Span<float>(to, _dim));
            }

            new Span<float>(rows + (_length * _dim), (_padded - _length) * _dim).Clear();
        }

        private void Queries(int batch, int head, int begin, int count, float* rows)
        {
            for (int i = 0; i < count; i++)
            {
                Turn(At(_q, _heads, batch, begin + i, head), batch, begin + i, rows + (i * _dim));
                Scale(rows + (i * _dim), _scale);
            }
        }

        /// <summary>Rows to panels of as many rows as a product is wide, transposed: [T / width, d, width].</summary>
        private void Transpose(float* rows, float* panels)
        {
            int width = SmallProduct.Width;
            for (int begin = 0; begin < _padded; begin += width)
            {
                float* panel = panels + (begin * _dim);
                for (int i = 0; i < width; i++)
                {
                    float* row = rows + ((begin + i) * _dim);
                    for (int c = 0; c < _dim; c++) panel[(c * width) + i] = row[c];
                }
            }
        }

        /// <summary>Rows to panels of columns: [d / width, T, width].</summary>
        private void Panels(float* rows, float* panels)
        {
            int width = SmallProduct.Width;
            for (int panel = 0; panel < _panels; panel++)
            {
                for (int i = 0; i < _padded; i++)
                {
                    new Span<float>(rows + (i * _dim) + (panel * width), width).CopyTo(
                        new Span<float>(panels + (((panel * _padded) + i) * width), width));
                }
            }
        }

        private void Scores(float* query, int count, int seen, float* keys, float* scores)
        {
            int width = SmallProduct.Width;
            for (int at = 0; at < seen; at += width)
                SmallProduct.Multiply(query, _dim, 1, count, keys + (at * _dim), width, _dim, scores + at, _stride, add: false);
        }

        /// <summary>Scores of keys that are not seen become minus infinity.</summary>
        private void Hide(int batch, int begin, int count, float* scores)
        {
            for (int i = 0; _hidden is not null && i < count; i++)
            {
                int at = 2 * ((batch * _length) + begin + i);
                new Span<float>(scores + (i * _stride) + _hidden[at], _hidden[at + 1] - _hidden[at]).Fill(float.NegativeInfinity);
            }
        }

        /// <summary>RoPE: x cos + exchanged x sin.</summary>
        private void Turn(float* from, int batch, int position, float* to)
        {
            nint row = ((_ownPositions ? (nint)batch * _length : 0) + position) * _rotated;
            float* cos = _cos + row, sin = _sin + row;
            int half = _rotated / 2;
            if (_halves)
            {
                for (int c = 0; c < half; c++)
                {
                    float first = from[c], second = from[c + half];
                    to[c] = (first * cos[c]) + (second * sin[c]);
                    to[c + half] = (second * cos[c + half]) + (first * sin[c + half]);
                }
            }
            else
            {
                for (int c = 0; c < _rotated; c++) to[c] = (from[c] * cos[c]) + (from[c ^ 1] * sin[c]);
            }

            for (int c = _rotated; c < _dim; c++) to[c] = from[c];
        }

        /// <summary>The transpose of <see cref="Turn"/>.</summary>
        private void TurnBack(float* from, int batch, int position, float* to)
        {
            nint row = ((_ownPositions ? (nint)batch * _length : 0) + position) * _rotated;
            float* cos = _cos + row, sin = _sin + row;
            int half = _rotated / 2;
            if (_halves)
            {
                for (int c = 0; c < half; c++)
                {
                    float first = from[c], second = from[c + half];
                    to[c] = (first * cos[c]) + (second * sin[c + half]);
                    to[c + half] = (second * cos[c + half]) + (first * sin[c]);
                }
            }
            else
            {
                for (int c = 0; c < _rotated; c++) to[c] = (from[c] * cos[c]) + (from[c ^ 1] * sin[c ^ 1]);
            }

            for (int c = _rotated; c < _dim; c++) to[c] = from[c];
        }

        /// <summary>exp(x - max) of the first <paramref name="own"/> scores, 0 up to <paramref name="seen"/>; what log-sum-exp and
        /// the inverse of the sum are.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static (float LogSum, float Inverse) Softmax(float* scores, int own, int seen)
        {
            int width = Vector<float>.Count, at;
            Mask(scores, own);
            var most = Vector.Load(scores);
            for (at = width; at < own; at += width) most = Vector.Max(most, Vector.Load(scores + at));
            float largest = most[0];
            for (int i = 1; i < width; i++) largest = Math.Max(largest, most[i]);
            var shift = new Vector<float>(largest);
            var total = Vector<float>.Zero;
            for (at = 0; at < own; at += width)
            {
                var e = Weight(scores + at, shift);
                total += e;
                e.Store(scores + at);
            }

            Clear(scores, at, seen);
            float sum = Vector.Sum(total);
            return (largest + MathF.Log(sum), 1 / sum);
        }

        /// <summary>exp(x - log-sum-exp) likewise.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Probabilities(float* scores, float logSum, int own, int seen)
        {
            Mask(scores, own);
            var shift = new Vector<float>(logSum);
            int at = 0;
            for (; at < own; at += Vector<float>.Count) Weight(scores + at, shift).Store(scores + at);
            Clear(scores, at, seen);
        }

        private static Vector<float> Weight(float* score, Vector<float> shift)
        {
            // What is masked is 0 and not the smallest normal number.
            var x = Vector.Load(score);
            return Vector.ConditionalSelect(
                Vector.Equals(x, new Vector<float>(float.NegativeInfinity)), Vector<float>.Zero, VectorMath.Exp(x - shift));
        }

        private static void Mask(float* scores, int own)
        {
            int end = (own + Vector<float>.Count - 1) / Vector<float>.Count * Vector<float>.Count;
            for (int i = own; i < end; i++) scores[i] = float.NegativeInfinity;
        }

        private static void Clear(float* scores, int from, int seen)
        {
            if (from < seen) new Span<float>(scores + from, seen - from).Clear();
        }

        /// <summary>p (x - mean): the gradient of scores.</summary>
        private static void Changes(float* changes, float* probabilities, float mean, int seen)
        {
            var shift = new Vector<float>(mean);
            for (int at = 0; at < seen; at += Vector<float>.Count)
                (Vector.Load(probabilities + at) * (Vector.Load(changes + at) - shift)).Store(changes + at);
        }

        private float Dot(float* left, float* right)
        {
            var sum = Vector<float>.Zero;
            for (int c = 0; c < _dim; c += Vector<float>.Count)
                sum = Vector.FusedMultiplyAdd(Vector.Load(left + c), Vector.Load(right + c), sum);
            return Vector.Sum(sum);
        }

        private void Scale(float* row, float factor)
        {
            for (int c = 0; c < _dim; c += Vector<float>.Count) (Vector.Load(row + c) * factor).Store(row + c);
        }
    }
}
