#!/usr/bin/env python3
"""Writes sentencepiece.json, and with --train the three small models beside it. See README.md."""
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import sentencepiece

here = pathlib.Path(__file__).parent
data = pathlib.Path(sys.argv[1])
texts = [row["text"] for row in json.loads((here / "golden.json").read_text())[0]["rows"]]
extra = ["<sep> \u00c9a the boat<sep>ffi ff Abc abc \ufb01n", "\u2581\u2581\u2581x \u2581\u2581\u2581\u2581", "zwsp\u200b\u200b. \u2003 .", "\u00a0\u00a0", " "]

# Replacements, as in the option --normalization_rule_tsv: code points to code points.
rules = ["41\t61", "FB01\t66 69", "66 66 69\tFB03", "E9\t65", "2003\t20", "200B\t", "A0\t20", "61 62 63\t78 20 79"]
models = {
    "rules.model": ["--vocab_size=380", "--add_dummy_prefix=false", "--normalization_rule_tsv=rules", "--user_defined_symbols=<sep>,\u00c9a"],
    "bytes.model": ["--vocab_size=520", "--normalization_rule_name=identity", "--byte_fallback=true",
                    "--remove_extra_whitespaces=false", "--user_defined_symbols=<sep>,\u2581\u2581\u2581"],
    "unknown.model": ["--vocab_size=300", "--normalization_rule_name=identity", "--remove_extra_whitespaces=false",
                      "--add_dummy_prefix=false", "--character_coverage=0.98", "--unk_surface=?", "--bos_id=-1"],
}


def train():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        story = [line for text in texts for line in text.replace("\0", "").replace("\u2581", "").splitlines()]
        (folder / "story").write_text("\n".join(story))
        (folder / "rules").write_text("\n".join(rules) + "\n")
        for name, options in models.items():
            # File names end up in the model, so they are the same every time.
            subprocess.run(["spm_train", "--input=story", "--model_prefix=m", "--model_type=bpe", "--num_threads=1", "--minloglevel=2", *options],
                           check=True, cwd=folder)
            (here / name).write_bytes((folder / "m.model").read_bytes())


def field(number, content):
    """A field of a protocol buffer: an int, a float, or bytes of less than 128."""
    if isinstance(content, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", content)
    return bytes([number << 3, content]) if isinstance(content, int) else bytes([number << 3 | 2, len(content)]) + content


def tie():
    """By hand, because training gives no two pieces one score: then the leftmost pair comes first, not that of the lower id."""
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("ba", -1.0, 1), ("ab", -1.0, 1), ("aab", -2.0, 1), ("bb", -0.5, 1),
              ("\u2581", -9.0, 1), ("a", -9.0, 1), ("b", -9.0, 1)]
    model = b"".join(field(1, field(1, text.encode()) + field(2, score) + field(3, kind)) for text, score, kind in pieces)
    (here / "ties.model").write_bytes(model + field(2, field(3, 2)) + field(3, field(1, b"identity")))


def describe(name, path, rows_of, corpora):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    digests, rows = [], []
    for corpus in corpora:
        ids = processor.encode((data / corpus).read_bytes().decode("utf-8", errors="replace"))
        digest = hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()
        digests.append("      " + json.dumps({"corpus": corpus, "count": len(ids), "sha256": digest}))
    for text in rows_of:
        ids = processor.encode(text)
        rows.append("      " + json.dumps({"text": text, "bare": ids, "decoded": processor.decode(ids)}))
    join = ",\n".join
    return f'  {{\n    "path": "{name}",\n    "corpora": [\n{join(digests)}\n    ],\n    "rows": [\n{join(rows)}\n    ]\n  }}'


if "--train" in sys.argv:
    train()
    tie()
corpora = ["text/wikitext-2-raw/train.first1MB.txt", "text/tinystories/valid.first220.txt", "text/tinyshakespeare/input.txt"]
known = ["tokenizers/llama2-32k/tokenizer.model", "tokenizers/tok4096-tinystories/tok4096.model", "tokenizers/tok8192-tinystories/tok8192.model"]
parts = [describe(path, data / path, texts, corpora) for path in known] + [describe(name, here / name, texts + extra, []) for name in models]
parts.append(describe("ties.model", here / "ties.model", ["aba", "baba", "aababab", "abba bab", "aabaabbab", "aaaa"], []))
(here / "sentencepiece.json").write_text("[\n" + ",\n".join(parts) + "\n]\n")
