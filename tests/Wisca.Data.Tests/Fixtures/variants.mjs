// What tokenizers of real model families look like, on vocabularies small enough to stand in a repository.

// Ids are given by make-golden.mjs: they follow those of the vocabulary.
const special = (content, rest) => ({ id: null, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...rest });
const level = (rest) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true, ...rest });
const bytesOnly = level({ use_regex: false });
const split = (pattern, rest) => ({ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false, ...rest });
const sequence = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const normalizers = (...steps) => ({ type: "Sequence", normalizers: steps });
const text = { Sequence: { id: "A", type_id: 0 } };
const token = (id) => ({ SpecialToken: { id, type_id: 0 } });
const template = (single, ...names) => ({
  type: "TemplateProcessing", single, pair: [text, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: Object.fromEntries(names.map((id) => [id, { id, ids: [], tokens: [id] }])) });
const replaceSpace = { type: "Replace", pattern: { String: " " }, content: "\u2581" };
const unspace = { type: "Replace", pattern: { String: "\u2581" }, content: " " };
const fallbackDecoder = (...more) => ({ type: "Sequence", decoders: [unspace, { type: "ByteFallback" }, { type: "Fuse" }, ...more] });
const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
const fallback = { unk_token: "<unk>", fuse_unk: true, byte_fallback: true };
const metaspace = (rest) => ({ type: "Metaspace", replacement: "\u2581", ...rest });
const bos = [special("<s>"), special("</s>")];
const marked = "<s>the boat</s> <s> x<s>";

const llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const qwen2 = llama3.replace("\\p{N}{1,3}", "\\p{N}");
const cl100k = "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
const o200k = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
  + "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
  + "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const deepseek = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const words = " the boat, it SAILED--and (sang) 12 times... twice";

const byteLevel = (name, patch, more) => ({ name, base: "byte-level", patch: { decoder: level(), ...patch }, more });
const byteFallback = (name, patch, more) => ({ name, base: "byte-fallback", patch: { decoder: fallbackDecoder(), ...patch, model: { ...fallback, ...patch.model } }, more });

export const variants = [
  byteLevel("gpt2", { pre_tokenizer: level(), added_tokens: [special("<|endoftext|>")] }, ["the boat<|endoftext|>the lake"]),
  byteLevel("gpt2 with prefix space", { pre_tokenizer: level({ add_prefix_space: true }), added_tokens: [special("<mask>", { lstrip: true })] }, ["the <mask> boat <mask>", "<mask>x"]),
  byteLevel("llama3", {
    pre_tokenizer: sequence(split(llama3), bytesOnly),
    added_tokens: [special("<|begin_of_text|>"), special("<|end_of_text|>"), special("<|eot_id|>")],
    post_processor: { type: "Sequence", processors: [bytesOnly, template([token("<|begin_of_text|>"), text], "<|begin_of_text|>")] },
    // Tokens that no merge makes: only ignore_merges can give them.
    model: { ignore_merges: true, vocab: { "\u0120morning": 319, "\u0120strong": 320, "boats": 321, "\u00f0\u0141\u013a\u0122": 322 } },
  }, ["the strong morning boats \u{1F600}", "<|begin_of_text|>x<|eot_id|><|end_of_text|>"]),
  byteLevel("qwen2", {
    normalizer: { type: "NFC" },
    pre_tokenizer: sequence(split(qwen2), bytesOnly),
    added_tokens: [special("<|im_start|>"), special("<|im_end|>"), special("<tool_call>", { special: false })],
  }, ["<|im_start|>user\nhello cafe\u0301 1234<|im_end|>\n", "a<tool_call>b"]),
  byteLevel("cl100k, possessive", { pre_tokenizer: sequence(split(cl100k), bytesOnly) }, [words]),
  byteLevel("o200k", { pre_tokenizer: sequence(split(o200k), bytesOnly) }, [words, "HELLOWorld helloWORLD \u01c5x \u4e2d\u6587Abc"]),
  byteLevel("deepseek", {
    pre_tokenizer: sequence(split("\\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(deepseek), bytesOnly),
  }, [words, "\u4eca\u65e5\u306fABC123"]),
  byteLevel("falcon", {
    pre_tokenizer: sequence({ type: "Punctuation", behavior: "Contiguous" }, level(), { type: "Digits", individual_digits: false }, split("[0-9][0-9][0-9]")),
  }, [words, "1234567 \u00b2\u00b3 \u00bd"]),
  byteLevel("bloom, class inside a class", { pre_tokenizer: sequence(split(" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"), bytesOnly) }, [words, "x|y(z)"]),
  byteLevel("starcoder", { pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, level()) }, [words]),
  byteLevel("merges as pairs", { pre_tokenizer: level(), model: { merges: [["\u0120", "t"], ["h", "e"], ["\u0120t", "he"]] } }),
  byteLevel("class escapes", { pre_tokenizer: sequence(split("[\\w'-]+|[\\x21-\\x2F]|\\W"), bytesOnly) }, [words, "x\u24b6\u00b2\u0903y", "a\u{1F170}b"]),
  byteLevel("anchors", { pre_tokenizer: sequence(split("^.|.$|(?<=a)b(?=c)|(?<!x)y"), bytesOnly) }, ["one\ntwo\nabc xy zy", "\u{1F600}a\n\u{1F600}"]),
  ...["Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"].flatMap((behavior) => [
    byteLevel(`split ${behavior}`, { pre_tokenizer: sequence(split("[ae]", { behavior }), bytesOnly) }, [words, "aea eb"]),
    byteLevel(`split ${behavior} inverted`, { pre_tokenizer: sequence(split("[ae]", { behavior, invert: true }), bytesOnly) }, [words, "aea eb"]),
  ]),
  byteLevel("added tokens", {
    normalizer: { type: "Lowercase" },
    pre_tokenizer: level(),
    added_tokens: [
      special("Boat", { special: false, single_word: true }), special("<l>", { lstrip: true }), special("<r>", { rstrip: true }),
      special("<b>", { lstrip: true, rstrip: true }), special("<B>ig", { special: false }), special("SHORE", { normalized: true, special: false }),
      special("<b>c", { special: false }), special("  ", { special: false, normalized: true }),
    ],
  }, ["Boat Boats aBoat Boat_ \u00e9Boat Boat\u200d", "x <l> <l>  <r>  y <r><b> \n <b> z", "<b>c<B>ig<b>", "Shore shoreSHORE", "a   b    c"]),
  byteLevel("NFD", { normalizer: { type: "NFD" }, pre_tokenizer: level() }, ["\uac01\ud7a3\u1e69\u01d6 \u0344"]),
  byteLevel("NFKC", { normalizer: normalizers({ type: "NFKC" }), pre_tokenizer: level() }, ["\ufb03\u2460\uff21\uff71\uff9e\u33a5\ufdfa \u1100\u1161\u11a8"]),
  byteLevel("NFKD", { normalizer: { type: "NFKD" }, pre_tokenizer: level() }, ["\ufb03\u2460\uff21\uff71\uff9e\u33a5\ufdfa\uac01"]),
  byteLevel("normalizers in sequence", {
    normalizer: normalizers({ type: "Strip", strip_left: true, strip_right: false }, { type: "Lowercase" }, { type: "Replace", pattern: { Regex: "\\s+|\\p{So}" }, content: "$1 " }, { type: "Prepend", prepend: "_" }),
    pre_tokenizer: level(),
  }, ["\u00a0 \u0130 A\t\tB  ", "   "]),
  byteLevel("tokens at both ends", {
    pre_tokenizer: level(), added_tokens: [special("<s>"), special("</s>")],
    post_processor: { type: "Sequence", processors: [template([token("<s>"), token("<s>"), text, token("</s>")], "<s>", "</s>"), bytesOnly] },
  }),
  byteLevel("no decoder", { pre_tokenizer: level(), decoder: null }),
  byteFallback("llama", {
    normalizer: normalizers({ type: "Prepend", prepend: "\u2581" }, replaceSpace), added_tokens: bos, decoder: fallbackDecoder(strip),
    post_processor: template([token("<s>"), text], "<s>"),
  }, [marked]),
  byteFallback("llama, normalized special tokens", {
    normalizer: normalizers({ type: "Prepend", prepend: "\u2581" }, replaceSpace), added_tokens: bos.map((one) => ({ ...one, normalized: true })), decoder: fallbackDecoder(strip),
  }, [marked]),
  byteFallback("gemma", {
    normalizer: replaceSpace, pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
    added_tokens: [...bos, special("\n\n", { special: false }), special("\u2581\u2581", { special: false })],
    post_processor: template([token("<s>"), text], "<s>"),
  }, [marked, "a\n\n\nb \u2581\u2581c"]),
  byteFallback("metaspace first", { pre_tokenizer: metaspace({ prepend_scheme: "first", split: false }), added_tokens: bos, decoder: fallbackDecoder(strip) }, [marked, "</s>the</s>lake"]),
  byteFallback("metaspace always", { pre_tokenizer: metaspace({ prepend_scheme: "always", split: true }), added_tokens: bos, decoder: metaspace({ prepend_scheme: "always", split: true }) }, [marked]),
  byteFallback("metaspace never", { pre_tokenizer: metaspace({ prepend_scheme: "never", split: true }), added_tokens: bos, decoder: metaspace({ prepend_scheme: "never", split: true }) }, [marked]),
  byteFallback("metaspace of old files", { pre_tokenizer: metaspace({ add_prefix_space: true }), decoder: metaspace({ add_prefix_space: true }) }, [marked]),
  byteFallback("unknown, fused", { normalizer: replaceSpace, model: { byte_fallback: false } }, ["\u00fc\u00fc\u00fcx\u00fc"]),
  byteFallback("unknown, one by one", { normalizer: replaceSpace, model: { byte_fallback: false, fuse_unk: false } }, ["\u00fc\u00fc\u00fcx\u00fc"]),
  byteFallback("no unknown token", { normalizer: replaceSpace, model: { byte_fallback: false, unk_token: null } }, ["\u00fc\u00fc\u00fcx\u00fc"]),
  byteFallback("some bytes missing", { normalizer: replaceSpace, model: { vocab: { "<0xBC>": null } } }, ["\u00fc\u00e4\u00fc\u00fcx\u00e4\u00fc"]),
  byteFallback("white space", { pre_tokenizer: { type: "Whitespace" } }, [words]),
  byteFallback("white space only", { pre_tokenizer: { type: "WhitespaceSplit" } }, [words]),
  byteFallback("punctuation", { pre_tokenizer: sequence({ type: "Punctuation" }, metaspace({ prepend_scheme: "first", split: true })) }, [words]),
];
