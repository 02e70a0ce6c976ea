"""Builds tiny random models with transformers and says what rescaling them does to their logits.

One JSON object a line on standard input, one answer a line on standard output:
  {"do": "make", "folder": ..., "model_type": ..., "config": {...}, "dtype": "float64", "seed": 1, "uniform_gains": false}
  {"do": "compare", "made": ..., "folder": ...}     the logits of another folder against those of a model made
"""
import contextlib, json, os, sys
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import warnings
warnings.filterwarnings("ignore")
import torch
import transformers
from torch.overrides import TorchFunctionMode

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

COMMON = {
    "vocab_size": 67, "hidden_size": 48, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6,
    "num_key_value_heads": 3, "head_dim": 16, "max_position_embeddings": 64, "rms_norm_eps": 1e-3, "layer_norm_eps": 1e-3,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "use_cache": False, "tie_word_embeddings": False,
    "moe_intermediate_size": 24, "attention_dropout": 0.0,
    "num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "n_routed_experts": 4,
}

class Double(TorchFunctionMode):
    """Model code computes norms, softmax and rotations in float32; here, where it says float32, it gets float64."""
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.full) and "dtype" not in kwargs and isinstance(args[-1], float):
            kwargs["dtype"] = torch.float64
        if func is torch.Tensor.float:
            return args[0].double()
        args = tuple(torch.float64 if a is torch.float32 else a for a in args)
        for k, v in kwargs.items():
            if v is torch.float32:
                kwargs[k] = torch.float64
        return func(*args, **kwargs)

def make_config(model_type, overrides):
    cls = transformers.CONFIG_MAPPING[model_type]
    default = cls()
    names = {}
    for key, value in COMMON.items():
        if key in overrides or not hasattr(default, key):
            continue
        names[cls.attribute_map.get(key, key)] = value
    names.update(overrides)
    names = {k: v for k, v in names.items() if v != "unset"}
    return cls(**names)

def randomise(model, seed, uniform_gains):
    g = torch.Generator().manual_seed(seed)
    def normal(shape): return torch.randn(shape, generator=g, dtype=torch.float64)
    def scales(n): return 2 ** (3 * torch.rand(n, generator=g, dtype=torch.float64) - 1.5)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2:
                v = normal(p.shape) / p.shape[-1] ** 0.5
                v = v * scales(p.shape[-2]).unsqueeze(-1) * scales(p.shape[-1])
            elif name.endswith("bias"):
                v = 0.5 * normal(p.shape)
            elif uniform_gains:
                v = p.double() + 0.25
            else:
                v = p.double() + 0.3 * normal(p.shape)
            p.copy_(v)

made = {}

def logits(model):
    ids = (torch.arange(20).reshape(2, 10) * 7 + 3) % 61 + 3
    double = any(p.dtype == torch.float64 for p in model.parameters())
    with torch.no_grad(), (Double() if double else contextlib.nullcontext()):
        out = model(input_ids=ids)
    return out.logits.double()

def auto(config):
    for a in (transformers.AutoModelForCausalLM, transformers.AutoModelForImageTextToText):
        if type(config) in a._model_mapping: return a
    # Decoders that a wrapper's class saves alone.
    return getattr(transformers, (config.architectures or ["AutoModelForCausalLM"])[0])

def load(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    # Routers and the like are made in float32 otherwise, and what is loaded into them is rounded to it.
    with Double() if config.dtype == torch.float64 else contextlib.nullcontext():
        model = auto(config).from_pretrained(
            folder, attn_implementation="eager", experts_implementation="eager", dtype="auto", local_files_only=True)
    return model.to(config.dtype)

def make(folder, model_type, config, dtype="float64", seed=1, uniform_gains=False, **_):
    config = make_config(model_type, config)
    torch.manual_seed(seed)
    cls = auto(config)
    build = getattr(cls, "from_config", None) or cls._from_config
    model = build(config, attn_implementation="eager", experts_implementation="eager", dtype=getattr(torch, dtype))
    model = model.to(getattr(torch, dtype)).eval()
    randomise(model, seed, uniform_gains)
    model.save_pretrained(folder)
    model = load(folder).eval()
    made[folder] = before = logits(model)
    return {"largest": before.abs().max().item(), "spread": before.std().item(), "finite": bool(torch.isfinite(before).all()), "class": type(model).__name__}

def compare(folder, **request):
    after = logits(load(folder).eval())
    before = made[request["made"]]
    return {"difference": ((after - before).abs().max() / before.abs().max()).item()}

def types(**_):
    """The causal model types, and the types of multimodal models around a text model, with that model's type."""
    auto_classes = transformers.models.auto.modeling_auto
    causal = auto_classes.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    wrapped = {}
    for name in sorted({*causal, *auto_classes.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES}):
        try:
            config = transformers.CONFIG_MAPPING[name]()
        except Exception:
            continue  # a class that cannot be made of its defaults
        for section in ("text_config", "language_config", "llm_config"):
            text = getattr(getattr(config, section, None), "model_type", None)
            if text:
                wrapped[name] = text
                break
    return {"causal": sorted(causal), "wrapped": wrapped}


def main():
    out = os.dup(1)
    os.dup2(2, 1)
    out = os.fdopen(out, "w")
    print(json.dumps({"transformers": transformers.__version__}), file=out, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = globals()[request.pop("do")](**request)
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), file=out, flush=True)

if __name__ == "__main__":
    main()
