// Invented sentences that the golden ids are made of. Code points that an editor might change are written as escapes.

// What every tokenizer of the data folder is tried on.
export const texts = [
  "",
  "Hello world",
  "The quick brown fox doesn't jump over 13 lazy dogs, does it?",
  "I'm sure we'll say they've done what you're told; she'd agree. IT'S HERE, WE'LL SEE",
  " leading",
  "trailing ",
  "  two  between  and   three   ",
  "\ttab\tinside\t",
  "line one\nline two\n\nline four\n",
  "windows\r\nlines\r\n\r\n",
  "   \n   \n  x",
  "nbsp\u00a0between\u00a0\u00a0words, thin\u2009space, ideographic\u3000space, nel\u0085x, zwsp\u200bx",
  "Caf\u00e9 na\u00efve \u00fcber \u00c5ngstr\u00f6m, d\u00e9j\u00e0 vu",
  "Cafe\u0301 nai\u0308ve u\u0308ber A\u030angstro\u0308m",
  "\u1e69 s\u0323\u0307 s\u0307\u0323 \u0344 \uac01 \u1100\u1161\u11a8 \u2126 \u212b",
  "e\u0301\u0323 \u0301start combining",
  "smile \u{1F600} family \u{1F468}\u200d\u{1F469}\u200d\u{1F467}\u200d\u{1F466} flags \u{1F1E9}\u{1F1EA}\u{1F1EF}\u{1F1F5} rainbow \u{1F3F3}\ufe0f\u200d\u{1F308} skin \u{1F44D}\u{1F3FD}",
  "7 42 365 1234 99999 1234567890 3.14159 1,000,000 0x1F 2024-06-30 12:45",
  "\u0661\u0662\u0663 \u00bd \u00b2 \u2167 \u{1D7D9}\u{1D7DA}\u{1D7DB}",
  "\u6570\u5b66\u306f\u697d\u3057\u3044\u3067\u3059\u3002\u4eca\u65e5\u306f\u6674\u308c\uff01 \ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4.",
  "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5",
  "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
  "rare \u{20000}\u{20001}\u{2A6D6} ideographs, math \u{1D49C}\u{1D4D1}\u{1D520} letters x\u{1D49C}y \u{10400}\u{10428}",
  "a\u{1D49C}\u{1F600}b \u{1F600}\u{1F600}'s \u{1D7D9}st\u{1D165}mark \u{1F170}\u{1F130}",
  "\ufb01nd \ufb03 \u2460 \uff26\uff35\uff2c\uff2c \u00b5 \u017ft \u0132 \u2026 \u0130stanbul \u1e9e \u03a3\u03a3 \u01c5",
  "def f(x):\n    return [i ** 2 for i in range(x) if i % 2 == 0]\n\n# done\n",
  "if (a<b && c>=d) { printf(\"%d\\n\", a[i]->x); } // <tag attr='v'/>",
  "https://example.org/path?query=1&other=two#frag user@mail.example",
  "<s>hi</s> <unk> <0x41> <|endoftext|>x<|endoftext|> <|start_story|> once <|end_story|>",
  "  <|endoftext|>  after  ",
  "\u2581already \u2581\u2581marked\u2581",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "!!!!!!!!???....,,,,;;;;----____",
  "'''s 's' \u2019s 'S 'Ll x'\u017f",
  "ALLCAPS mixedCase snake_case kebab-case Title Case",
  "\u0000\u0001\u001f\u007f control \ufeffbom \ufffd \ue000 \u{10ffff}",
  "Once upon a time there was a very small boat. It liked to sail on the big blue lake, and every day it said hello to the ducks.",
];

// What the small tokenizers are trained on, and every variant of them is tried on.
export const story = [
  "Once upon a time there was a very small boat. It liked to sail on the big blue lake, and every day it said hello to the ducks.",
  "The ducks didn't answer, but they'd always swim beside the boat, and the boat was happy. It sailed and it sang.",
  "One day the wind was strong. \"We'll be there soon,\" said the boat, \"and then we can rest.\" It was 12 miles to the shore, or 1234 boats long.",
  "Caf\u00e9 owners on the shore saw the boat coming; they lit 3 lamps and waited.  Two ducks slept.\n\nIn the morning the sun came up over the lake.",
];

export const variantTexts = [
  "",
  "the boat said hello",
  " The ducks didn't answer;  it's 1234567 miles\n\n to the  shore.   ",
  "WE'LL say they'Re there'S x'\u017f",
  "Caf\u00e9 Cafe\u0301 \ufb01n \u212b \u1e69 \uac01 \u{1F600}\u{1F1E9}\u{1F1EA} \u6570\u5b66\u3002 \u{20000}x\u{1D49C}y \u{1D7D9}2",
  "a\tb\u00a0c\r\nd \u00b2\u2167\u0903_\u2460 f(x)=[i]; #tag",
  "\u2581lake \u2581\u2581x",
];
