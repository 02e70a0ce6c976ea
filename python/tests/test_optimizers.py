"""What each optimizer keeps follows: the same training as with other learning rates, or the same state as its formula says."""

from __future__ import annotations

import types

import pytest
import torch
from plain import CONFIG, Plain
from test_training import factors_of

import wisca
from wisca._optimizers import Kept, OptimizerState, Role, check_scale, roles_of, scale_state


def run(model, optimizers, steps, attachment=None, first=0):
    losses = []
    for step in range(first, first + steps):
        ids = torch.randint(0, 64, (8, 16), generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.cross_entropy(model(ids)[:, :-1].reshape(-1, 64), ids[:, 1:].reshape(-1))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        if attachment is not None:
            attachment.step()
        for optimizer in optimizers:
            optimizer.zero_grad()
        losses.append(loss.item())
    return losses


class Lion(torch.optim.Optimizer):
    """As published: the sign of an interpolation of momentum and gradient."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.sub_(group["lr"] * (0.9 * m + 0.1 * p.grad).sign())
                m.lerp_(p.grad, 0.01)


class Shampoo(torch.optim.Optimizer):
    """As published: a Gram matrix for each axis, and its inverse root."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state, update = self.state[p], p.grad
                state["step"] = state.get("step", 0) + 1
                if p.dim() != 2:
                    p.sub_(group["lr"] * 1e-3 * p.grad)
                    continue
                if "precond_0" not in state:
                    for axis in range(2):
                        state[f"precond_{axis}"] = torch.zeros(p.shape[axis], p.shape[axis], dtype=p.dtype)
                        state[f"inv_precond_{axis}"] = torch.zeros(p.shape[axis], p.shape[axis], dtype=p.dtype)
                state["precond_0"] += update @ update.T
                state["precond_1"] += update.T @ update
                if state["step"] % 7 == 1:
                    for axis in range(2):
                        values, vectors = torch.linalg.eigh(state[f"precond_{axis}"])
                        state[f"inv_precond_{axis}"].copy_(
                            vectors @ torch.diag(values.clamp(min=1e-6 * values.max()) ** -0.5) @ vectors.T)
                # Between refreshes the roots stay, so they have to follow too.
                state.setdefault("momentum_buffer", torch.zeros_like(p)).mul_(0.9).add_(update)
                p.sub_(group["lr"] * state["inv_precond_0"] @ state["momentum_buffer"] @ state["inv_precond_1"])


class SOAP(torch.optim.Optimizer):
    """The names and shapes of the published one, with Adam in the eigenbases."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr, "eps": 1e-8})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state, g = self.state[p], p.grad
                if p.dim() != 2:
                    p.sub_(group["lr"] * 1e-3 * g)
                    continue
                if "GG" not in state:
                    state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p), Q=None,
                                 GG=[torch.zeros(n, n, dtype=p.dtype) for n in p.shape])
                state["GG"][0].lerp_(g @ g.T, 0.05)
                state["GG"][1].lerp_(g.T @ g, 0.05)
                if state["Q"] is None:
                    state["Q"] = [torch.linalg.eigh(gram)[1] for gram in state["GG"]]
                left, right = state["Q"]
                state["step"] += 1
                state["exp_avg"].lerp_(g, 0.1)
                state["exp_avg_sq"].lerp_((left.T @ g @ right).square(), 0.05)
                update = (left.T @ state["exp_avg"] @ right) / (state["exp_avg_sq"].sqrt() + (group["eps"] or 1e-15))
                p.sub_(group["lr"] * left @ update @ right.T)


def groups(model, lr, factors, power):
    # Epsilon is zero where gradients never are: those of tokens that are not there are.
    return [
        {"params": [p], "lr": lr / factors.get(name, 1.0) ** power, "eps": 0.0 if "self_attn" in name else 1e-8}
        for name, p in model.named_parameters()]


# Optimizer, and the power of the factor that its rate is divided by to be the same training.
EQUIVALENT = {
    "adam": (lambda g: torch.optim.Adam(g, eps=0.0), 1, 0.0),
    "amsgrad": (lambda g: torch.optim.AdamW(g, eps=0.0, amsgrad=True, weight_decay=0.0), 1, 0.0),
    "nadam": (lambda g: torch.optim.NAdam(g, eps=0.0), 1, 0.0),
    # Begins as momentum alone, and divides by second moments once their variance is known: from step 10 on, near enough.
    "radam": (lambda g: torch.optim.RAdam(g, eps=0.0, betas=(0.9, 0.95)), 1, 0.0),
    "rmsprop": (lambda g: torch.optim.RMSprop(g, eps=0.0, momentum=0.9, centered=False), 1, 0.0),
    "adagrad": (lambda g: torch.optim.Adagrad(g, eps=0.0), 1, 0.0),
    "sgd": (lambda g: torch.optim.SGD(g, momentum=0.9), 2, 0.0),
    "sgd-plain": (lambda g: torch.optim.SGD(g), 2, 0.0),
    "lion": (Lion, 1, 0.0),
    "shampoo": (Shampoo, 1, 1e-9),
    "soap": (SOAP, 1, 1e-7),
}


@pytest.mark.parametrize("name", EQUIVALENT)
def test_a_transition_is_a_change_of_rates(name):
    make, power, tolerance = EQUIVALENT[name]
    lr = 1e-2 if "sgd" in name else 1e-3
    moved, plain = Plain(dtype=torch.float64), Plain(dtype=torch.float64)
    first = make(groups(moved, lr, {}, power))
    attachment = wisca.attach(moved, first, config=CONFIG, round="pow2", init=False, every=0, at=[10])
    # Every token is there in the first steps: no gradient is zero where nothing is added to the root.
    losses = run(moved, [first], 10, attachment)
    factors = factors_of(attachment, attachment.events[0])
    assert any(s != 1 for s in factors.values())
    losses += run(moved, [first], 20, attachment, 10)
    second = make(groups(plain, lr, {}, power))
    expected = run(plain, [second], 10)
    for (key, _), group in zip(plain.named_parameters(), second.param_groups):
        group["lr"] = lr / factors.get(key, 1.0) ** power
    expected += run(plain, [second], 20, None, 10)
    assert all(value == value for value in losses)
    if tolerance == 0.0:
        assert losses == expected
    else:
        assert losses == pytest.approx(expected, rel=tolerance)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_beside_adamw():
    moved, plain = Plain(), Plain()

    def make(model):
        matrices = [p for name, p in model.named_parameters() if "layers" in name and p.dim() == 2]
        others = [p for name, p in model.named_parameters() if not ("layers" in name and p.dim() == 2)]
        return [torch.optim.Muon(matrices, lr=1e-3, weight_decay=0.0), torch.optim.AdamW(others, lr=1e-3)]

    first, second = make(moved), make(plain)
    attachment = wisca.attach(moved, first, config=CONFIG, round="pow2", init=False, every=0, at=[4])
    run(moved, first, 4, attachment)
    run(plain, second, 4)
    factors = factors_of(attachment, attachment.events[0])
    for (name, a), b in zip(moved.named_parameters(), plain.parameters()):
        for optimizers, p, s in ((first, a, factors.get(name, 1.0)), (second, b, 1.0)):
            state = optimizers[0].state.get(p, {}).get("momentum_buffer")
            if state is None:
                continue
            if p is a:
                mine = state * s
            else:
                assert torch.equal(mine, state)


@pytest.mark.parametrize(
    "which", [dict(preset="qk_ten+vo_ten"), dict(qk="pair", vo="channel"), dict(all=True)], ids=["tensor", "channel", "all"])
def test_adafactor_keeps_factored_moments_of_its_formula(which):
    model = Plain(dtype=torch.float64)
    optimizer = torch.optim.Adafactor(model.parameters(), lr=1e-3)
    attachment = wisca.attach(model, optimizer, config=CONFIG, init=False, every=0, at=[3], round="none", **which)
    run(model, [optimizer], 2, attachment)

    def second(p):
        state = optimizer.state[p]
        if "variance" in state:
            return state["variance"].clone()
        return state["row_var"] @ state["col_var"] / state["row_var"].mean()

    before = {name: (second(p), p.detach().clone()) for name, p in model.named_parameters()}
    attachment.steps += 1
    attachment.transition()
    changed = 0
    for name, p in model.named_parameters():
        v, weight = before[name]
        ratio = p.detach() / weight
        changed += bool((ratio != 1).any())
        assert torch.allclose(second(p), v / ratio**2, rtol=1e-9), name
    assert changed >= 8


def test_transformers_adafactor():
    from transformers.optimization import Adafactor

    model = Plain(dtype=torch.float64)
    optimizer = Adafactor(model.parameters(), lr=1e-3, relative_step=False, scale_parameter=False, beta1=0.9)
    attachment = wisca.attach(model, optimizer, config=CONFIG, every=2, qk="pair", vo="channel", round="none")
    run(model, [optimizer], 1, attachment)
    p = model.model.layers[0].self_attn.q_proj.weight
    state = optimizer.state[p]

    def second():
        row, column = state["exp_avg_sq_row"], state["exp_avg_sq_col"]
        return row[:, None] * column[None] / row.mean()

    v, m, weight = second(), state["exp_avg"].clone(), p.detach().clone()
    attachment.transition()
    ratio = p.detach() / weight
    assert (ratio != 1).any()
    assert torch.allclose(second(), v / ratio**2, rtol=1e-9) and torch.allclose(state["exp_avg"], m / ratio, rtol=1e-9)


def test_adafactor_turns_with_gains():
    model = Plain(dtype=torch.float64)
    optimizer = torch.optim.Adafactor(model.parameters(), lr=1e-3)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(torch.linspace(0.5, 1.5, 32))
    for state in ("keep", "mix"):
        attachment = wisca.attach(model, optimizer, config=CONFIG, rotate=dict(stream="weights", state=state), init=False)
        run(model, [optimizer], 2, attachment)
        reader, writer = model.model.layers[0].mlp.up_proj.weight, model.model.layers[0].mlp.down_proj.weight
        before = {p: {key: value.clone() for key, value in optimizer.state[p].items()} for p in (reader, writer)}
        gains = model.model.layers[0].post_attention_layernorm.weight.detach().clone()
        attachment.rotate()
        turn = attachment.state_dict()["totals"]["stream"]
        column = optimizer.state[reader]["col_var"].flatten()
        after = model.model.layers[0].post_attention_layernorm.weight.detach()
        guarded = gains.clamp(min=0.3 * float(gains.square().mean().sqrt()))
        plain = before[reader]["col_var"].flatten() * (after / guarded) ** 2
        wanted = plain if state == "keep" else plain @ turn.square()
        assert torch.allclose(column, wanted, rtol=1e-9)
        row = before[writer]["row_var"].flatten()
        assert torch.allclose(optimizer.state[writer]["row_var"].flatten(), row if state == "keep" else row @ turn.square(), rtol=1e-9)
        attachment.detach()


class EightBit:
    """The state of a bitsandbytes optimizer as it is published: uint8 codes of a map, and the largest magnitude of each block of 256
    (2048 until version 0.43), or of all with block_wise=False; small parameters in float32."""

    def __new__(cls, name="AdamW8bit"):
        return type(name, (torch.optim.Optimizer,), {
            "__module__": "bitsandbytes.optim.adamw", "__init__": lambda self, params: torch.optim.Optimizer.__init__(self, params, {})})

    @staticmethod
    def fill(optimizer, block=256):
        code = torch.linspace(-1, 1, 256)
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.numel() < 1024:
                    optimizer.state[p] = {"step": 1, "state1": torch.randn_like(p), "state2": torch.rand_like(p)}
                    continue
                count = -(-p.numel() // block) if block else 1
                optimizer.state[p] = {"step": 1}
                for index in (1, 2):
                    optimizer.state[p].update({
                        f"state{index}": torch.randint(0, 256, p.shape, dtype=torch.uint8), f"qmap{index}": code,
                        f"{'absmax' if block else 'max'}{index}": torch.rand(count) + 0.5})
                    if not block:
                        optimizer.state[p][f"new_max{index}"] = torch.rand(1) + 0.5

    @staticmethod
    def decoded(state, index, shape, block=256):
        if f"qmap{index}" not in state:
            return state[f"state{index}"].double()
        values = state[f"qmap{index}"].double()[state[f"state{index}"].long()].flatten()
        if not block:
            return (values * state[f"max{index}"].double()).reshape(shape)
        scales = state[f"absmax{index}"].double().repeat_interleave(block)[: values.numel()]
        return (values * scales).reshape(shape)


@pytest.mark.parametrize("which, block", [
    (dict(preset="qk_ten+vo_ten"), 256), (dict(preset="qk_ten+vo_ten"), 2048), (dict(preset="qk_ten+vo_ten"), None), (dict(qk="pair"), 32),
], ids=["tensor", "2048", "no blocks", "rows"])
def test_eight_bit_states_follow_by_their_blocks_scales(which, block):
    model = Plain()
    config = CONFIG
    optimizer = EightBit()(model.parameters())
    torch.manual_seed(0)
    EightBit.fill(optimizer, block)
    before = {name: (p.detach().double().clone(), *(EightBit.decoded(optimizer.state[p], i, p.shape, block) for i in (1, 2)))
              for name, p in model.named_parameters()}
    codes = [state[key].clone() for state in optimizer.state.values() for key in state if key.startswith("state")
             and state[key].dtype == torch.uint8]
    wisca.attach(model, optimizer, config=config, init=True, round="pow2", **which)
    assert codes and all(map(torch.equal, codes, (
        state[key] for state in optimizer.state.values() for key in state if key.startswith("state")
        and state[key].dtype == torch.uint8)))
    changed = 0
    for name, p in model.named_parameters():
        weight, m, v = before[name]
        ratio = p.detach().double() / weight
        changed += bool((ratio != 1).any())
        assert torch.equal(EightBit.decoded(optimizer.state[p], 1, p.shape, block), m / ratio)
        assert torch.equal(EightBit.decoded(optimizer.state[p], 2, p.shape, block), v / ratio**2)
    assert changed


def test_eight_bit_states_without_blocks_follow_one_factor_only():
    model = Plain()
    optimizer = EightBit()(model.parameters())
    EightBit.fill(optimizer, None)
    with pytest.raises(wisca.WiscaError, match="follows a factor for the whole parameter only"):
        wisca.attach(model, optimizer, config=CONFIG, init=True, qk="pair", round="pow2")


def test_eight_bit_blocks_that_straddle_rows_are_refused():
    model = Plain()
    optimizer = EightBit()(model.parameters())
    EightBit.fill(optimizer)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(wisca.WiscaError, match="has a scale for each 256 elements"):
        wisca.attach(model, optimizer, config=CONFIG, init=True, qk="pair", round="pow2")
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    attachment = wisca.attach(model, optimizer, config=CONFIG, init=False, rotate=dict(stream="weights"))
    with pytest.raises(wisca.WiscaError, match="cannot follow a rotation"):
        attachment.rotate()


def test_a_momentum_of_updates_is_not_turned():
    model = Plain()
    optimizer = torch.optim.RMSprop(model.parameters(), momentum=0.9)
    attachment = wisca.attach(model, optimizer, config=CONFIG, rotate=dict(stream="weights"))
    run(model, [optimizer], 1)
    with pytest.raises(wisca.WiscaError, match="'momentum_buffer' that RMSprop keeps of .* cannot follow a rotation"):
        attachment.rotate()


@pytest.mark.parametrize("make, words", [
    (lambda p: torch.optim.LBFGS(p), "LBFGS cannot follow"),
    (lambda p: type("Unheard", (torch.optim.Optimizer,), {})(p, {}), "Unheard is not known"),
    (lambda p: torch.optim.Rprop(p), "Rprop is not known"),
])
def test_what_cannot_follow_is_refused_in_one_line(make, words):
    model = Plain()
    with pytest.raises(wisca.WiscaError) as raised:
        wisca.attach(model, make(list(model.parameters())), config=CONFIG)
    assert words in raised.value.message and "\n" not in raised.value.message and raised.value.hint


def test_how_to_declare_degrees():
    class Mine(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        @torch.no_grad()
        def step(self):
            for p in self.param_groups[0]["params"]:
                self.state[p].setdefault("speed", torch.zeros_like(p)).mul_(0.9).add_(p.grad)
                self.state[p]["size"] = p.grad.square()
                p.sub_(1e-3 * self.state[p]["speed"])

    model = Plain()
    with pytest.raises(wisca.WiscaError, match="register_optimizer"):
        wisca.attach(model, Mine(model.parameters()), config=CONFIG)
    wisca.register_optimizer(Mine, {"speed": -1})
    optimizer = Mine(model.parameters())
    attachment = wisca.attach(model, optimizer, config=CONFIG, init=False)
    run(model, [optimizer], 1, attachment)
    with pytest.raises(wisca.WiscaError, match="keeps 'size' beside"):
        attachment.transition()
    wisca.register_optimizer(Mine, {"speed": -1, "size": -2})
    attachment = wisca.attach(model, optimizer, config=CONFIG, init=False, round="pow2")
    p = model.model.layers[0].self_attn.q_proj.weight
    before = p.detach().clone(), optimizer.state[p]["speed"].clone(), optimizer.state[p]["size"].clone()
    attachment.transition()
    s = float((p.detach() / before[0]).flatten()[0])
    assert s != 1 and torch.equal(optimizer.state[p]["speed"], before[1] / s) and torch.equal(optimizer.state[p]["size"], before[2] / s**2)


def test_state_of_matrices_follows_one_factor_only():
    model = Plain(dtype=torch.float64)
    optimizer = SOAP(model.parameters())
    attachment = wisca.attach(model, optimizer, config=CONFIG, init=False, qk="pair", round="none")
    run(model, [optimizer], 2, attachment)
    with pytest.raises(wisca.WiscaError, match="follows a factor for the whole parameter only"):
        attachment.transition()


def test_reset_leaves_masters():
    p = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.AdamW([p])
    p.grad = torch.ones(2, 2)
    optimizer.step()
    state = OptimizerState(optimizer, {"w": p}, {})
    assert {kept.name for kept in state.of("w")} == {"exp_avg", "exp_avg_sq"}
    state.reset("w")
    assert state.of("w") == []
    optimizer.step()
    assert float(optimizer.state[p]["step"]) == 1


def test_asking_makes_no_entry():
    p = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.AdamW([p])
    assert OptimizerState(optimizer, {"w": p}, {}).of("w") == [] and not optimizer.state
    assert roles_of(optimizer).states["exp_avg"].degree == -1


def test_float16_is_multiplied_in_double():
    values = torch.tensor([[1e-3, 2e-3]], dtype=torch.float16)
    kept = [Kept("exp_avg_sq", values, Role(-2, linear=False))]
    factors = (torch.tensor([2.0**-9], dtype=torch.float64), None)
    check_scale(kept[0], "w", (1, 2), factors)
    scale_state(kept, factors, (1, 2))
    assert torch.isfinite(values).all() and values[0, 0] > 200


def test_a_wrapped_optimizer_is_seen_through():
    model = Plain()
    optimizer = torch.optim.AdamW(model.parameters())
    wrapped = types.SimpleNamespace(optimizer=optimizer)
    wisca.attach(model, wrapped, config=CONFIG)
    run(model, [optimizer], 1)
