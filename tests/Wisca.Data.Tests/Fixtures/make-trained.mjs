// Writes trained.json: the merges that Hugging Face's trainer learns with its default options. See README.md.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { story, texts } from "./texts.mjs";

const [data, packages] = process.argv.slice(2);
const { Tokenizer } = createRequire(join(packages, "package.json"))("tokenizers");
const folder = mkdtempSync(join(tmpdir(), "trained-"));

function train(file) {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const model = { type: "BPE", vocab: {}, merges: [] };
  const tokenizer = Tokenizer.fromString(JSON.stringify({ version: "1.0", added_tokens: [], pre_tokenizer: byteLevel, decoder: byteLevel, model }));
  tokenizer.train([file]);
  const path = join(folder, "tokenizer.json");
  tokenizer.save(path);
  return JSON.parse(readFileSync(path, "utf8")).model.merges.map((merge) => merge.join(" "));
}

const sentences = [...story, ...texts.filter((text) => !/[\r\n]/.test(text))];
writeFileSync(join(folder, "sentences.txt"), sentences.map((text) => text + "\n").join(""));
const corpus = "text/tinystories/train.txt", count = 1791;
const tinyStories = train(join(data, corpus)).slice(0, count);
const result = {
  documents: sentences.map((text) => text + "\n"),
  merges: train(join(folder, "sentences.txt")),
  corpus,
  count,
  sha256: createHash("sha256").update(tinyStories.join("\n")).digest("hex"),
  last: tinyStories.slice(-3),
};
const escape = (text) => text.replace(/[^\n -~]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
writeFileSync(new URL("trained.json", import.meta.url), escape(JSON.stringify(result)) + "\n");
rmSync(folder, { recursive: true });
