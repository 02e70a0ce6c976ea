// Writes vocabularies.json, variants.json and golden.json. See README.md.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { story, texts, variantTexts } from "./texts.mjs";
import { variants } from "./variants.mjs";

const [data, packages] = process.argv.slice(2);
const { Tokenizer } = createRequire(join(packages, "package.json"))("tokenizers");
const here = (name) => new URL(name, import.meta.url);
// All of it in ASCII, so that no editor normalizes a code point.
const escape = (text) => text.replace(/[^\n -~]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
const write = (name, value, pretty) => writeFileSync(here(name), escape(pretty(value)) + "\n");

// --- two small vocabularies, trained on the story; how well does not matter ---

function train(words, count) {
  const merges = [];
  while (merges.length < count) {
    const counts = new Map();
    for (const word of words) for (let i = 1; i < word.length; i++) {
      const pair = JSON.stringify([word[i - 1], word[i]]);
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0] ?? [];
    if (!best || counts.get(best) < 2) break;
    const [left, right] = JSON.parse(best);
    merges.push([left, right]);
    for (const word of words) for (let i = 1; i < word.length; i++) {
      if (word[i - 1] === left && word[i] === right) word.splice(i - 1, 2, left + right);
    }
  }
  return merges;
}

const alphabet = (() => {
  const letters = [];
  let next = 0x100;
  for (let b = 0; b < 256; b++) {
    const visible = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    letters.push(String.fromCharCode(visible ? b : next++));
  }
  return letters;
})();

function byteLevel() {
  const words = story.flatMap((line) => line.match(/ ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+/gu))
    .map((word) => [...Buffer.from(word, "utf8")].map((b) => alphabet[b]));
  const merges = train(words, 180);
  return { vocab: Object.fromEntries([...alphabet, ...merges.map((m) => m.join(""))].map((t, i) => [t, i])), merges: merges.map((m) => m.join(" ")) };
}

function byteFallback() {
  const words = story.flatMap((line) => line.match(/ +[^ ]*|[^ ]+/g)).map((word) => [...word.replaceAll(" ", "\u2581")]);
  const letters = [...new Set(words.flat())];
  const merges = train(words, 150);
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...merges.map((m) => m.join("")), ...letters];
  return { vocab: Object.fromEntries([...new Set(tokens)].map((t, i) => [t, i])), merges: merges.map((m) => m.join(" ")) };
}

// --- a variant is a patch on a vocabulary: objects are merged, null deletes, all else replaces ---

function patched(base, patch) {
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject(patch) || !isObject(base)) return patch;
  const result = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = patched(result[key], value);
  }
  return result;
}

const vocabularies = { "byte-level": byteLevel(), "byte-fallback": byteFallback() };
write("vocabularies.json", vocabularies, (v) => JSON.stringify(v).replaceAll("},", "},\n").replaceAll("],", "],\n"));

async function encodeAll(tokenizer, json, list) {
  // The reference (0.23.2, not those before) decodes an added token that is normalized to its normalized form, and does not
  // skip it although it is special. So special tokens are left out here, and other such tokens are not decoded.
  const idsOf = (which) => new Set((json.added_tokens ?? []).filter(which).map((token) => token.id));
  const special = idsOf((token) => token.special), changed = idsOf((token) => token.normalized && !token.special);
  const rows = [];
  for (const text of list) {
    const ids = (await tokenizer.encode(text, null, { addSpecialTokens: true })).getIds();
    const bare = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
    rows.push({ text, ids, bare: bare.length === ids.length ? undefined : bare, decoded: ids.some((id) => changed.has(id)) ? undefined : await tokenizer.decode(ids.filter((id) => !special.has(id)), false) });
  }
  return rows;
}

// Added tokens count on from the vocabulary, as the reference makes them whatever the file says.
function numbered({ vocab }, patch) {
  const ids = { ...vocab, ...patch.model?.vocab };
  let next = Object.keys(ids).length;
  for (const token of patch.added_tokens ?? []) {
    token.id = ids[token.content] ?? next++;
    ids[token.content] = token.id;
  }
  for (const one of [patch.post_processor, ...(patch.post_processor?.processors ?? [])]) {
    for (const [name, entry] of Object.entries(one?.special_tokens ?? {})) entry.ids = [ids[name]];
  }
}

const rowsOf = (rows) => rows.map((row) => "      " + JSON.stringify(row)).join(",\n");

const made = [];
for (const { name, base, patch, more } of variants) {
  const minimal = { version: "1.0", added_tokens: [], model: { type: "BPE", ...vocabularies[base] } };
  numbered(vocabularies[base], patch);
  const json = patched(minimal, patch);
  const tokenizer = Tokenizer.fromString(JSON.stringify({
    truncation: null, padding: null, normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...json,
    model: { dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, ...json.model } }));
  const rows = await encodeAll(tokenizer, json, [...variantTexts, ...(more ?? [])]);
  made.push(`  {\n    "name": ${JSON.stringify(name)},\n    "base": ${JSON.stringify(base)},\n    "patch": ${JSON.stringify(patch)},\n    "rows": [\n${rowsOf(rows)}\n    ]\n  }`);
}
write("variants.json", made, (m) => `[\n${m.join(",\n")}\n]`);

// --- the tokenizers of the data folder ---

const gpt2 = () => {
  const vocab = JSON.parse(readFileSync(join(data, "tokenizers/gpt2/vocab.json"), "utf8"));
  const merges = readFileSync(join(data, "tokenizers/gpt2/merges.txt"), "utf8").split("\n").filter((line) => line && !line.startsWith("#version"));
  const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const end = { id: 50256, content: "<|endoftext|>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0", truncation: null, padding: null, added_tokens: [end], normalizer: null, pre_tokenizer: level, post_processor: null, decoder: level,
    model: { type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, vocab, merges } };
};
const load = (path) => JSON.parse(readFileSync(join(data, path, "tokenizer.json"), "utf8"));
const corpora = ["text/wikitext-2-raw/train.first1MB.txt", "text/tinystories/valid.first220.txt", "text/tinyshakespeare/input.txt"];
const parts = [];
for (const [path, json] of [
  ["tokenizers/gpt2", gpt2()],
  ["tokenizers/gpt-neox-20b", load("tokenizers/gpt-neox-20b")],
  ["tokenizers/tinystories-bpe-4096-hf", load("tokenizers/tinystories-bpe-4096-hf")],
  ["models/TinyStories-656K", load("models/TinyStories-656K")],
]) {
  const tokenizer = Tokenizer.fromString(JSON.stringify(json));
  const rows = await encodeAll(tokenizer, json, texts);
  const digests = [];
  for (const corpus of corpora) {
    // As whole characters: one of the files ends inside one.
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(readFileSync(join(data, corpus)));
    const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
    const sha256 = createHash("sha256").update(Buffer.from(Int32Array.from(ids).buffer)).digest("hex");
    digests.push("      " + JSON.stringify({ corpus, count: ids.length, sha256 }));
  }
  parts.push(`  {\n    "path": "${path}",\n    "corpora": [\n${digests.join(",\n")}\n    ],\n    "rows": [\n${rowsOf(rows)}\n    ]\n  }`);
}
write("golden.json", parts, (p) => `[\n${p.join(",\n")}\n]`);
