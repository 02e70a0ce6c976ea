#!/usr/bin/env python3
"""Writes models.json, and with --train unigram.model, symbols.model, fallback.model and sums.model. See README.md."""
import base64
import io
import json
import pathlib
import random
import struct
import sys
import tempfile

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = pathlib.Path(__file__).parent
story = [row["text"] for row in json.loads((here / "golden.json").read_text())[0]["rows"]]
extra = [
    "the boat said hello", " The ducks didn't answer;  it's 1234567 miles\n\n to the  shore.   ", "unaffable boats, ducks--and [MASK] lakes",
    "Caf\u00e9 Cafe\u0301 \ufb01n \u212b \u1e69 \uac01 \U0001F600\U0001F1E9\U0001F1EA \u6570\u5b66\u3002 \U00020000x\U0001D49Cy \U0001D7D92",
    "a\tb\u00a0c\r\nd \u00b2\u2167\u0903_\u2460 f(x)=[i]; #tag \u200b\u200dz \u0085 \u2028 \ufeff", "\u2581lake \u2581\u2581x", "x" * 101, "\u00e9" * 100,
    "<unk> <s>the</s> <sep>boat<sep> [UNK] [CLS]", "qqq\u6570qq \u6570\u5b66 q", "do not do n't do 's x ' y , z . ! ?", "\u1ab0\u0336\u0489x\u1cf2y \u05be\u2e43\u2e5d!",
    "\u0e01\u0e49\u0e33 \u0d15\u0d4d\u0d37 \u1100\u1161\u11a8 e\u0301\u0323\u0336", "\uff34\uff45\uff53\uff54 \u2460 \ufdfa \u33a5 \u2026",
]


def train_sentencepiece():
    # Replacements, as in the option --normalization_rule_tsv: code points to code points. One of them ends inside a cluster of characters.
    rules = ["41\t61", "FB01\t66 69", "66 66 69\tFB03", "E9\t65", "2003\t20", "200B\t", "A0\t20", "61 62 63\t78 20 79", "65 301\tE9", "2460\t31"]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
        file.write("\n".join(rules) + "\n")
    text = [line for text in story for line in text.replace("\0", "").replace("\u2581", "").splitlines() if line]
    for name, options in {
        "unigram.model": dict(vocab_size=230, normalization_rule_tsv=file.name),
        "symbols.model": dict(vocab_size=240, normalization_rule_name="identity", user_defined_symbols=["<sep>", "boat", "bo"], bos_id=-1,
                              remove_extra_whitespaces=False, add_dummy_prefix=False, character_coverage=0.98),
        "fallback.model": dict(vocab_size=480, normalization_rule_name="identity", byte_fallback=True, character_coverage=0.98),
    }.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text), model_writer=model, model_type="unigram", num_threads=1, hard_vocab_limit=False, minloglevel=2, **options)
        (here / name).write_bytes(model.getvalue())


def field(number, content):
    """A field of a protocol buffer: an int, a float, or bytes of less than 128."""
    if isinstance(content, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", content)
    return bytes([number << 3, content]) if isinstance(content, int) else bytes([number << 3 | 2, len(content)]) + content


def write_sums():
    """By hand: every piece scores what its letters do but for some units of float32, so that its rounding decides between paths."""
    source = random.Random(3)
    scores = {letter: -source.uniform(3, 9) for letter in "abc"}
    for length in [2, 3]:
        for _ in range(8):
            piece = "".join(source.choice("abc") for _ in range(length))
            scores[piece] = sum(scores[letter] for letter in piece) * (1 + source.choice([-1, 0, 1, 2]) * 2 ** -23)
    pieces = [("<unk>", 0.0, 2)] + [(piece, score, 1) for piece, score in scores.items()]
    model = b"".join(field(1, field(1, text.encode()) + field(2, score) + field(3, kind)) for text, score, kind in pieces)
    (here / "sums.model").write_bytes(model + field(2, field(3, 1)) + field(3, field(1, b"identity") + field(3, 0)))


def charsmap(name):
    """The field normalizer_spec.precompiled_charsmap of a model."""
    def content(message, wanted):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                byte = message[at]
                at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
                if byte < 0x80:
                    return value

        while at < len(message):
            tag = varint()
            if tag & 7 != 2:
                at += {1: 8, 5: 4}[tag & 7] if tag & 7 else varint() * 0
                continue
            length = varint()
            if tag >> 3 == wanted:
                return message[at:at + length]
            at += length

    return base64.b64encode(content(content((here / name).read_bytes(), 3), 2)).decode()


def unigram(pieces, **rest):
    return {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False, **rest}


def special(content, ident, **rest):
    return {"id": ident, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **rest}


def tokenizer_json(model, **parts):
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None, **parts, "model": model}
    return json.loads(Tokenizer.from_str(json.dumps(whole)).to_str())  # as the library itself writes it


def variants():
    processor = sentencepiece.SentencePieceProcessor(model_file=str(here / "unigram.model"))
    pieces = [[processor.id_to_piece(i), processor.get_score(i)] for i in range(processor.vocab_size())]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    whole = {**metaspace, "split": False}
    yield "unigram", tokenizer_json(unigram(pieces), pre_tokenizer=metaspace, decoder=metaspace)
    yield "unigram, T5", tokenizer_json(
        unigram(pieces), added_tokens=[special("<unk>", 0), special("</s>", 2), special("<extra_0>", len(pieces))],
        normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap("unigram.model")},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        post_processor={"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                        "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}, decoder=metaspace)
    yield "unigram, whole text, XGLM", tokenizer_json(
        unigram(pieces), normalizer={"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap("unigram.model")},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}, pre_tokenizer=whole, decoder=metaspace)
    byte_pieces = [[f"<0x{b:02X}>", -20.0] for b in range(256)]
    yield "unigram, byte fallback", tokenizer_json(
        unigram(pieces + byte_pieces, byte_fallback=True), pre_tokenizer=metaspace,
        decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}]})
    # Equal scores, and a piece that is two unknown characters: the order of the search, and the second look at an unknown run.
    yield "unigram, ties", tokenizer_json(unigram(
        [["<unk>", 0.0], ["a", -1.0], ["b", -1.0], ["ab", -2.0], ["ba", -2.0], ["aba", -3.0], ["qq", -90.0], ["q\u6570", -90.0], [" ", -1.0], ["c", -2.5], ["o", -2.0],
         ["bo", -3.0], ["at", -3.0], ["oa", -3.0], ["t", -2.0], ["boa", -5.0], ["boat", -6.0]]))
    yield "unigram, nmt", tokenizer_json(
        unigram(pieces), normalizer={"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "StripAccents"}]}, pre_tokenizer=metaspace)

    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.normalizer, words.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    words.train_from_iterator(story * 3, trainers.WordPieceTrainer(
        vocab_size=400, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    model = json.loads(words.to_str())["model"]
    names = sorted(model["vocab"], key=model["vocab"].get)  # training leaves the order of equal counts to chance
    model["vocab"] = {name: i for i, name in enumerate(names[:5] + sorted(names[5:]))}
    added = [special(name, i) for i, name in enumerate(names[:5])]
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    cls_sep = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    word_piece = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    yield "wordpiece, BERT", tokenizer_json(
        model, added_tokens=added, normalizer=bert, pre_tokenizer={"type": "BertPreTokenizer"}, post_processor=cls_sep, decoder=word_piece)
    yield "wordpiece, cased", tokenizer_json(
        model, added_tokens=added, normalizer={**bert, "lowercase": False}, pre_tokenizer={"type": "BertPreTokenizer"},
        decoder={**word_piece, "cleanup": False})
    yield "wordpiece, accents kept", tokenizer_json(
        {**model, "max_input_chars_per_word": 5}, added_tokens=added, normalizer={**bert, "strip_accents": False, "handle_chinese_chars": False, "clean_text": False},
        pre_tokenizer={"type": "Whitespace"}, decoder=word_piece)
    yield "word level", tokenizer_json(
        {"type": "WordLevel", "vocab": {"[UNK]": 0, "the": 1, "boat": 2, "said": 3, ",": 4, "\U0001F600": 5}, "unk_token": "[UNK]"},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "CharDelimiterSplit", "delimiter": " "}, {"type": "Punctuation", "behavior": "Isolated"}]})
    letters = json.loads((here / "vocabularies.json").read_text())["byte-level"]
    size = len(letters["vocab"])
    yield "roberta", tokenizer_json(
        {"type": "BPE", **letters}, added_tokens=[special("<s>", size), special("</s>", size + 1)], normalizer={"type": "ByteLevel"},
        post_processor={"type": "RobertaProcessing", "sep": ["</s>", size + 1], "cls": ["<s>", size], "trim_offsets": True, "add_prefix_space": False},
        decoder={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True})


def rows(encode, bare, decode, texts):
    for text in texts:
        row = {"text": text, "ids": encode(text), "bare": bare(text)}
        row["decoded"] = decode(row["ids"])
        if row["bare"] == row["ids"]:
            del row["bare"]
        yield row


def random_texts(count):
    """Letters that are pieces, marks, and what is neither, in any order: where two paths are nearly equal the sums decide."""
    source = random.Random(7)
    return ["".join(source.choice(["the ", "b", "o", "a", "t", "oat ", "said", "q", "\u6570", " ", "\u0301", "du", "ck", "s", "e", "1", "."]) for _ in range(40))
            for _ in range(count)]


if "--train" in sys.argv:
    train_sentencepiece()
    write_sums()
texts = story + extra + random_texts(40)
golden = []
for name, whole in variants():
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    golden.append({"name": name, "patch": whole, "rows": list(rows(
        lambda text: tokenizer.encode(text).ids, lambda text: tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.decode, texts))})
letters = ["".join(random.Random(seed).choices("abc", k=20)) for seed in range(30)]
for name in ["unigram.model", "symbols.model", "fallback.model", "sums.model"]:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(here / name))
    before = [processor.bos_id()] if processor.bos_id() >= 0 else []
    golden.append({"path": name, "rows": list(rows(
        lambda text: before + processor.encode(text.replace("\0", "")), lambda text: processor.encode(text.replace("\0", "")),
        processor.decode, letters if name == "sums.model" else [text for text in texts if "\0" not in text]))})
(here / "models.json").write_text(json.dumps(golden, separators=(",", ":")).replace('{"text"', '\n{"text"') + "\n")
print({row.get("name") or row["path"]: len(row["rows"]) for row in golden})
