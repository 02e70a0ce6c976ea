"""Steps of the models of bench/Wisca.TrainingBenchmarks in PyTorch, as its users write them: AdamW by its fused kernel, scaled_dot_product_
attention, rms_norm, one sequence length, random tokens. Prints a row for each: model, median ms of wall and of processor time, tokens/s.

  python bench/pytorch-step.py [--threads N] [--steps N] [--only 1M]
"""
import argparse, os, statistics, time
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import torch
from torch import nn
from torch.nn import functional as F

options = argparse.ArgumentParser()
options.add_argument("--threads", type=int, default=os.cpu_count())
options.add_argument("--steps", type=int, default=10)
options.add_argument("--only", default="")
options = options.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(1)
SEQUENCES, LENGTH = 8, 256
MODELS = {
    "1M": dict(hidden=128, inner=352, layers=4, heads=8, vocabulary=2048, tied=True),
    "10M": dict(hidden=384, inner=1024, layers=6, heads=6, vocabulary=256, tied=False),
}


class Layer(nn.Module):
    def __init__(self, hidden, inner, heads, kv_heads=2):
        super().__init__()
        self.heads, self.kv_heads, self.dim = heads, kv_heads, hidden // heads
        self.norms = nn.ModuleList([nn.RMSNorm(hidden, eps=1e-5), nn.RMSNorm(hidden, eps=1e-5)])
        self.q, self.o = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.k, self.v = (nn.Linear(hidden, kv_heads * self.dim, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(hidden, inner, bias=False) for _ in range(2))
        self.down = nn.Linear(inner, hidden, bias=False)

    def turn(self, x, cos, sin):
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat((-b, a), -1) * sin

    def forward(self, x, cos, sin):
        y, (batch, length, _) = self.norms[0](x), x.shape
        q, k, v = (p(y).view(batch, length, -1, self.dim).transpose(1, 2) for p in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(self.turn(q, cos, sin), self.turn(k, cos, sin), v, is_causal=True, enable_gqa=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, length, -1))
        y = self.norms[1](x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Model(nn.Module):
    def __init__(self, hidden, inner, layers, heads, vocabulary, tied):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(vocabulary, hidden), nn.RMSNorm(hidden, eps=1e-5)
        self.layers = nn.ModuleList(Layer(hidden, inner, heads) for _ in range(layers))
        self.head = nn.Linear(hidden, vocabulary, bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        if tied:
            self.head.weight = self.embedding.weight
        dim = hidden // heads
        angles = torch.outer(torch.arange(LENGTH), 10000.0 ** (-torch.arange(0, dim, 2) / dim))
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos())
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin())

    def forward(self, ids):
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return self.head(self.norm(x))


for name, shape in MODELS.items():
    if options.only not in name:
        continue
    model = Model(**shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    ids = torch.randint(shape["vocabulary"], (SEQUENCES, LENGTH))
    targets = ids.flatten().roll(-1)
    wall, processor = [], []
    for step in range(options.steps + 2):
        began, used = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        F.cross_entropy(model(ids).flatten(0, 1), targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        if step >= 2:
            wall.append(time.perf_counter() - began)
            processor.append(time.process_time() - used)
    print(f"{name} {1e3 * statistics.median(wall):.1f} {1e3 * statistics.median(processor):.1f} "
          f"{ids.numel() / statistics.median(wall):.0f} {sum(p.numel() for p in model.parameters())} torch-{torch.__version__}", flush=True)
