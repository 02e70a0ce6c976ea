"""Transitions in a loop: what must be exactly equal is, and what must not be is not."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch
from conftest import logits, loss_of, tiny_model, train, windows

import wisca
import wisca._names
from wisca._shards import are_powers_of_two


def adamw(model, **options):
    """AdamW; epsilon is zero for attention alone, whose gradients are never zero, as those of tokens that are not there are."""
    options = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 0.0, "weight_decay": 0.0, **options}
    attention = [parameter for name, parameter in model.named_parameters() if "self_attn" in name]
    others = [parameter for name, parameter in model.named_parameters() if "self_attn" not in name]
    return torch.optim.AdamW([{"params": attention}, {"params": others, "eps": options["eps"] or 1e-8}], **options)


def in_groups(model, factors, lr, **options):
    """AdamW with the rates that a transition by these factors is equal to: lr / s where the weight is multiplied by s."""
    groups = [
        {"params": [parameter], "lr": lr / factors.get(name, 1.0), "eps": 0.0 if "self_attn" in name else 1e-8}
        for name, parameter in model.named_parameters()]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), weight_decay=0.0, **options)


def factors_of(attachment, event):
    """Each tensor's factor, of transitions of whole tensors."""
    found = {}
    for group in event.groups:
        for piece in attachment.plan["exchanges"][group["exchange"]]["slices"]:
            found[piece["tensor"]] = found.get(piece["tensor"], 1.0) * group["factor"] ** piece["exponent"]
    return found


class TestNull:
    """A transition with transported state is a change of learning rates, bit for bit where factors are powers of two."""

    def setup_method(self):
        self.plain, self.moved = tiny_model(), tiny_model()

    def run(self, state="transport", form=None, middle=50):
        form = form or {}
        first = adamw(self.moved, **form)
        attachment = wisca.attach(self.moved, first, round="pow2", init=False, every=0, at=[middle], state=state, preset="qk_ten+vo_ten")
        events = []
        moved = train(self.moved, first, attachment, 100, on_event=events.append)
        factors = factors_of(attachment, events[0])
        assert len(events) == 1 and max(abs(math.log2(s)) for s in factors.values()) >= 1
        second = in_groups(self.plain, {}, 1e-3, **form)
        plain = train(self.plain, second, None, middle)
        for (name, _), group in zip(self.plain.named_parameters(), second.param_groups):
            group["lr"] = 1e-3 / factors.get(name, 1.0)
        plain += train(self.plain, second, None, 100 - middle, first=middle)
        return moved, plain

    @pytest.mark.parametrize("form", [{"foreach": False}, {"foreach": True}, {"fused": True}], ids=["single", "foreach", "fused"])
    def test_powers_of_two_are_equal_bit_for_bit_over_100_steps(self, form):
        moved, plain = self.run(form=form)
        assert moved == plain

    @pytest.mark.parametrize("state", ["keep", "reset"])
    def test_state_that_does_not_follow_is_seen(self, state):
        moved, plain = self.run(state)
        assert moved[:51] == plain[:51] and moved[52:] != plain[52:]

    def test_at_the_start(self):
        first = adamw(self.moved)
        attachment = wisca.attach(self.moved, first, round="pow2", every=0)
        factors = factors_of(attachment, attachment.events[0])
        moved = train(self.moved, first, attachment, 100)
        assert moved == train(self.plain, in_groups(self.plain, factors, 1e-3), None, 100)

    def test_the_same_rates_on_both_is_another_training(self):
        first = adamw(self.moved)
        attachment = wisca.attach(self.moved, first, round="pow2", every=0)
        moved = train(self.moved, first, attachment, 20)
        plain = train(self.plain, adamw(self.plain), None, 20)
        assert moved[0] == plain[0] and moved[1:] != plain[1:]


@pytest.mark.parametrize("which", [
    dict(preset="qk_row+vo_row"), dict(qk="kv_head", vo="channel", criterion="rms"), dict(mlp="channel", norms="channel"),
    dict(all=True, criterion="l2"), dict(qk="kv_head", vo="tensor", criterion="spectral", layers="1-"), dict(criterion="l1_mean"),
], ids=lambda which: "-".join(which))
def test_each_transition_keeps_the_function(which, exact_norms):
    model = tiny_model(dtype=torch.float64)
    optimizer = adamw(model, eps=1e-8)
    before = logits(model)
    attachment = wisca.attach(model, optimizer, round="none", every=7, **which)
    assert (logits(model) - before).abs().max() < 1e-12
    kinds = []

    def check(event):
        kinds.append(type(event))

    values = []
    for ids in windows(15):
        loss_of(model, ids).backward()
        optimizer.step()
        now = logits(model)
        attachment.step()
        values.append((logits(model) - now).abs().max())
        optimizer.zero_grad()
    assert max(values) < 1e-12 and attachment.transitions == 3
    after = attachment.imbalances()
    if "criterion" not in which and "norms" not in which and "mlp" not in which:
        assert after and max(abs(ratio) for _, ratio in after) < 0.1
    now = logits(model)
    attachment.undo()
    assert (logits(model) - now).abs().max() < 1e-12


def test_undo_leads_back_bit_for_bit_with_powers_of_two():
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    optimizer = adamw(model)
    wisca_attachment = wisca.attach(model, optimizer, round="pow2", preset="qk_row+vo_row")
    assert any(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    wisca.undo(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert wisca_attachment.transitions == 0


def test_undo_takes_the_optimizers_state_along():
    moved, plain = tiny_model(), tiny_model()
    first = adamw(moved)
    attachment = wisca.attach(moved, first, round="pow2", init=False, every=0, at=[10])
    losses = train(moved, first, attachment, 10)
    attachment.undo()
    attachment._trigger.at = frozenset()
    losses += train(moved, first, attachment, 10, first=10)
    assert losses == train(plain, adamw(plain), None, 20)


def test_an_average_of_weights_follows():
    model = tiny_model(dtype=torch.float64)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    optimizer = adamw(model, eps=1e-8)
    attachment = wisca.attach(model, optimizer, averages=[average], every=5, all=True, init=False, round="none")
    for ids in windows(5):
        loss_of(model, ids).backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(model)
        before = logits(average)
        attachment.step()
    assert attachment.transitions == 1
    # Norms of transformers compute in float32.
    assert (logits(average) - before).abs().max() < 1e-5
    assert any((a - b).abs().max() > 0 for a, b in zip(average.parameters(), model.parameters()))


def test_masters_are_moved_and_rounded_into_the_parameters():
    model = tiny_model(dtype=torch.bfloat16)
    masters = {name: parameter.detach().float().requires_grad_() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(masters.values(), lr=1e-3)
    attachment = wisca.attach(model, optimizer, masters=masters, init=False, every=0, at=[3], round="none")
    for ids in windows(3):
        loss_of(model, ids).backward()
        for name, parameter in model.named_parameters():
            masters[name].grad = parameter.grad.float()
            parameter.grad = None
        optimizer.step()
        for name, parameter in model.named_parameters():
            parameter.data.copy_(masters[name])
        before = {name: master.detach().clone() for name, master in masters.items()}
        events = attachment.step()
    factors = factors_of(attachment, events[0])
    assert all(abs(math.log2(s)) % 1 for s in factors.values())
    for name, s in factors.items():
        assert torch.equal(masters[name].detach(), (before[name].double() * s).float())
        assert torch.equal(dict(model.named_parameters())[name].detach(), masters[name].detach().bfloat16())


def test_masters_that_an_optimizer_keeps():
    class WithMasters(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})

        @torch.no_grad()
        def step(self):
            for parameter in self.param_groups[0]["params"]:
                state = self.state[parameter]
                state.setdefault("copy", parameter.float())
                state["copy"] -= 1e-3 * parameter.grad.float()
                parameter.copy_(state["copy"])

    wisca.register_optimizer(WithMasters, {}, master="copy")
    model = tiny_model(dtype=torch.bfloat16)
    optimizer = WithMasters(model.parameters())
    attachment = wisca.attach(model, optimizer, init=False, every=2, round="none")
    train(model, optimizer, attachment, 2)
    assert attachment.transitions == 1
    for parameter in model.parameters():
        assert torch.equal(optimizer.state[parameter]["copy"].bfloat16(), parameter)
    attachment.undo()
    for parameter in model.parameters():
        assert torch.equal(optimizer.state[parameter]["copy"].bfloat16(), parameter)


class TestAround:
    """Accumulation, scaling of losses, checkpointing of activations and compilation need nothing: a null test of each."""

    def losses(self, wisca_on, *, scaler=False, accumulate=1, prepare=lambda model: model):
        model = tiny_model()
        optimizer = adamw(model)
        run = prepare(model)
        attachment = wisca.attach(run, optimizer, round="pow2", every=0, at=[5], init=False) if wisca_on else None
        scale = torch.amp.GradScaler("cpu", init_scale=4.0) if scaler else None
        losses, factors = [], None
        for step, start in enumerate(range(0, 10 * accumulate, accumulate), 1):
            for ids in windows(10 * accumulate)[start : start + accumulate]:
                loss = loss_of(run, ids) / accumulate
                (scale.scale(loss) if scale else loss).backward()
                losses.append(loss.item())
            if scale:
                scale.step(optimizer)
                scale.update()
            else:
                optimizer.step()
            optimizer.zero_grad()
            if attachment:
                for event in attachment.step():
                    factors = factors_of(attachment, event)
                    # Back to the rates of the other run.
                    params = dict(model.named_parameters())
                    old = optimizer.param_groups[0]
                    moved = {id(params[name]) for name in factors}
                    old["params"] = [p for p in old["params"] if id(p) not in moved]
                    for name, s in factors.items():
                        optimizer.add_param_group({**old, "params": [params[name]], "lr": 1e-3 * s})
        assert not wisca_on or attachment.transitions == 1
        return losses

    @pytest.mark.parametrize("around", [
        dict(), dict(scaler=True), dict(accumulate=3),
        dict(prepare=lambda model: model.gradient_checkpointing_enable() or model.train()),
        dict(prepare=lambda model: torch.compile(model, backend="eager")),
    ], ids=["plain", "scaler", "accumulation", "checkpointing", "compiled"])
    def test_null(self, around):
        assert self.losses(True, **around) == self.losses(False, **around)


def test_tied_weights_are_moved_once():
    model = tiny_model(tie_word_embeddings=True, dtype=torch.float64)
    before = logits(model)
    attachment = wisca.attach(model, adamw(model), all=True, round="none")
    assert (logits(model) - before).abs().max() < 1e-5
    assert attachment.transitions == 1 and "lm_head.weight" not in attachment._live.weights.base


def test_names_through_wrappers():
    model = tiny_model()

    class Wrapped(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.module = inner

    names = set(dict(model.named_parameters()))
    for wrapped in (Wrapped(model), torch.compile(model, backend="eager"), Wrapped(torch.compile(model, backend="eager"))):
        assert set(wisca._names.weights_of(wrapped).base) == names


def test_a_class_that_fully_shard_makes_is_seen_through():
    model = tiny_model()
    model.config.architectures = None
    model.__class__ = type("FSDPLlamaForCausalLM", (type("FSDPModule", (), {}), type(model)), {})
    assert wisca._names.config_of(model, None)["architectures"] == ["LlamaForCausalLM"]


def test_a_folder_or_a_dict_tells_the_configuration(tmp_path):
    model = tiny_model()
    model.config.save_pretrained(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    factors = []
    for config in (None, tmp_path, str(tmp_path / "config.json"), content, model.config):
        model = tiny_model()
        event = wisca.attach(model, adamw(model), config=config).events[0]
        factors.append([group["factor"] for group in event.groups])
    assert all(other == factors[0] for other in factors)


class TestWhen:
    def test_every_at_and_until(self):
        model = tiny_model()
        optimizer = adamw(model)
        attachment = wisca.attach(model, optimizer, every=4, at=[3, 20], until=8)
        steps = [0] if attachment.events else []
        train(model, optimizer, attachment, 20, on_event=lambda event: steps.append(event.step))
        assert steps == [0, 3, 4, 8]

    def test_threshold(self):
        model = tiny_model()
        optimizer = adamw(model)
        attachment = wisca.attach(model, optimizer, every=0, threshold=0.5, init=False)
        assert [event.step for event in attachment.step()] == [1]
        assert attachment.step() == []
        with torch.no_grad():
            model.model.layers[1].self_attn.v_proj.weight.mul_(3)
        assert [event.step for event in attachment.step()] == [3]

    def test_fisher_goes_by_second_moments(self):
        model = tiny_model()
        optimizer = adamw(model)
        attachment = wisca.attach(model, optimizer, criterion="fisher", init=False, every=5, round="none", qk="tensor", layers="0")
        events = []
        for ids in windows(5):
            loss_of(model, ids).backward()
            optimizer.step()
            state = optimizer.state
            attention = model.model.layers[0].self_attn
            q, k = (float(state[p.weight]["exp_avg_sq"].double().sum()) for p in (attention.q_proj, attention.k_proj))
            events += attachment.step()
            optimizer.zero_grad()
        assert math.isclose(events[0].groups[0]["factor"], (q / k) ** 0.25, rel_tol=1e-9)


def test_verify_takes_a_wrong_transition_back():
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    asked = []

    def loss():
        asked.append(1)
        return float(len(asked))

    with pytest.raises(wisca.WiscaError, match="it was taken back"):
        wisca.attach(model, adamw(model), verify=loss, round="pow2")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    right = wisca.attach(model, adamw(model), verify=lambda: loss_of(model, windows(1)[0]).item(), round="pow2")
    assert right.events[0].loss[0] == right.events[0].loss[1]


class TestResume:
    @pytest.mark.parametrize("rotate", [None, dict(stream="gradient", every=3), dict(stream="momentum", every=4, values="same")],
                             ids=["scales", "gradient", "momentum"])
    def test_is_exact_to_the_bit(self, tmp_path, rotate):
        def begin(model):
            return adamw(model, eps=1e-8)

        options = dict(every=5, rotate=rotate, preset="qk_ten+vo_ten")
        whole = tiny_model()
        optimizer = begin(whole)
        losses = train(whole, optimizer, wisca.attach(whole, optimizer, **options), 24)

        model = tiny_model()
        optimizer = begin(model)
        attachment = wisca.attach(model, optimizer, **options)
        first = train(model, optimizer, attachment, 13)
        torch.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "wisca": attachment.state_dict()}, tmp_path / "state.pt")
        saved = torch.load(tmp_path / "state.pt")
        model = tiny_model(seed=7)
        optimizer = begin(model)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        attachment = wisca.attach(model, optimizer, **options, resume=saved["wisca"])
        assert attachment.steps == 13
        assert first + train(model, optimizer, attachment, 11, first=13) == losses

    def test_in_torchs_order_too(self):
        model = tiny_model()
        optimizer = adamw(model)
        attachment = wisca.attach(model, optimizer)
        train(model, optimizer, attachment, 3)
        saved = copy.deepcopy((model.state_dict(), optimizer.state_dict())), attachment.state_dict()
        other = tiny_model(seed=3)
        second = adamw(other)
        attached = wisca.attach(other, second)
        other.load_state_dict(saved[0][0])
        second.load_state_dict(saved[0][1])
        attached.load_state_dict(saved[1])
        assert attached.state_dict()["ledger"] == attachment.state_dict()["ledger"] and attached.steps == 3

    def test_what_does_not_belong_together_is_refused(self):
        model = tiny_model()
        optimizer = adamw(model)
        attachment = wisca.attach(model, optimizer)
        train(model, optimizer, attachment, 2)
        state = attachment.state_dict()
        with pytest.raises(wisca.WiscaError, match="made steps before"):
            wisca.attach(model, optimizer)
        with pytest.raises(wisca.WiscaError, match="is not the tensor that the state was saved with"):
            other = tiny_model()
            wisca.attach(other, adamw(other), resume=state)
        with pytest.raises(wisca.WiscaError):
            wisca.attach(model, optimizer, resume=state, preset="qk_row")
        with pytest.raises(wisca.WiscaError, match="rotations"):
            wisca.attach(model, optimizer, resume=state, preset="qk_ten+vo_ten", rotate=dict(stream="momentum"))
        with pytest.raises(wisca.WiscaError, match="version"):
            wisca.attach(model, optimizer, resume={"version": 9})


class TestLedger:
    def test_moves_before_the_training_stay_also_where_it_is_saved_in_place(self, tmp_path):
        from transformers import LlamaForCausalLM

        tiny_model().save_pretrained(tmp_path / "model")
        wisca.rescale(tmp_path / "model", tmp_path / "balanced", preset="qk_row", round="pow2")
        model = LlamaForCausalLM.from_pretrained(tmp_path / "balanced", attn_implementation="eager", dtype=torch.float32)
        attachment = wisca.attach(model, adamw(model), rotate=dict(stream="random"), vo="channel", round="pow2")
        attachment.rotate()
        for place in ("elsewhere", "balanced"):
            model.save_pretrained(tmp_path / place)
            attachment.save(tmp_path / place)
            moves = json.loads((tmp_path / place / "wisca.json").read_text())["moves"]
            assert sorted(path.name for path in (tmp_path / place).glob(".wisca*")) == []
            assert len(moves) == 3
        wisca.undo(tmp_path / "elsewhere", tmp_path / "back")
        back = LlamaForCausalLM.from_pretrained(tmp_path / "back", attn_implementation="eager", dtype=torch.float32)
        original = tiny_model()
        assert (logits(back) - logits(original)).abs().max() < 1e-4
        for mine, its in zip(back.model.layers, original.model.layers):
            # Gains go back as gains follow; with them, readers are what they were.
            for one, other in (
                (mine.self_attn.o_proj.weight, its.self_attn.o_proj.weight),
                (mine.self_attn.q_proj.weight * mine.input_layernorm.weight, its.self_attn.q_proj.weight * its.input_layernorm.weight),
            ):
                assert (one - other).abs().max() < 1e-5


class TestRefusals:
    def refused(self, words, model=None, optimizer=None, **options):
        model = model or tiny_model()
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(wisca.WiscaError) as raised:
            wisca.attach(model, optimizer or adamw(model), **options)
        assert words in str(raised.value), str(raised.value)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_a_frozen_weight(self):
        model = tiny_model()
        model.model.layers[1].self_attn.k_proj.weight.requires_grad_(False)
        self.refused("'model.layers.1.self_attn.k_proj.weight' is frozen", model)

    def test_a_weight_that_no_optimizer_trains(self):
        model = tiny_model()
        self.refused("is trained by none of the optimizers", model, torch.optim.AdamW(model.lm_head.parameters()))

    def test_a_quantised_weight(self):
        model = tiny_model()
        weight = model.model.layers[0].mlp.up_proj
        weight.weight = torch.nn.Parameter(weight.weight.detach().to(torch.int8), requires_grad=False)
        self.refused("'model.layers.0.mlp.up_proj.weight' is stored as int8", model)

    def test_a_weight_that_is_not_contiguous(self):
        model = tiny_model()
        layer = model.model.layers[0].self_attn.q_proj
        layer.weight = torch.nn.Parameter(layer.weight.detach().T.contiguous().T)
        self.refused("is not contiguous", model)

    def test_nan(self):
        model = tiny_model()
        with torch.no_grad():
            model.model.layers[0].self_attn.q_proj.weight[1, 2] = math.nan
        with pytest.raises(wisca.WiscaError, match="q_proj"):
            wisca.attach(model, adamw(model))

    def test_no_configuration(self):
        model = torch.nn.Sequential(torch.nn.Linear(4, 4))
        self.refused("no transformers configuration", model, torch.optim.SGD(model.parameters()))

    @pytest.mark.parametrize("options, words", [
        (dict(state="stay"), "state is 'stay'"), (dict(every=-1), "every is -1"), (dict(threshold=0), "threshold is 0"),
        (dict(qk="half"), "half"), (dict(hysteresis=4), "hysteresis"), (dict(rotate=dict(stream="sideways")), "sideways"),
        (dict(rotate=dict(speed=1)), "rotate has no 'speed'"),
        (dict(rotate="momentum"), "expected a dict"), (dict(preset="origin"), "no transition"),
        (dict(all=True, rotate=dict(stream="momentum")), "all and rotate"),
        (dict(norms="channel", rotate=dict(stream="momentum")), "norms is channel"),
        (dict(preset="vo_row", rotate=dict(stream="momentum", values="same")), "vo is channel"),
        (dict(rotate=dict(stream="none", values="same")), "values"), (dict(rotate=dict(every=0)), "every is 0"),
        (dict(rotate=dict(start=9, until=8)), "until is 8"), (dict(rotate=dict(fraction=0)), "fraction is 0"),
        (dict(rotate=dict(average=1)), "average is 1"),
    ])
    def test_options(self, options, words):
        self.refused(words, **options)


def test_powers_of_two_are_told():
    assert are_powers_of_two(torch.tensor([0.25, 1.0, 8.0], dtype=torch.float64)) and not are_powers_of_two(torch.tensor([3.0]))
