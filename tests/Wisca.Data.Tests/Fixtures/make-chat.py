"""Renders conversations with the chat template of a model, by transformers: python make-chat.py TEMPLATE.jinja > chat.json"""
import json
import sys

from transformers.utils.chat_template_utils import render_jinja_template

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Says \"how\" it is: größer < 1 & 'so'.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": []},
    },
}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln", "days": 2, "exact": True, "more": [1, 2.5, None]}}}
CASES = [
    {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "tools": [TOOL]},
    {
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "sunny\n20"},
            {"role": "assistant", "content": "It is sunny."},
        ],
        "tools": [TOOL, {"name": "clock", "parameters": {}}],
    },
    {
        "messages": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "I ask twice.", "tool_calls": [CALL, {"name": "clock", "arguments": "{\"zone\":1}"}]},
            {"role": "tool", "content": "rain"},
            {"role": "tool", "content": "noon"},
            {"role": "assistant", "content": "Rain at noon."},
            {"role": "user", "content": "Thanks"},
            {"role": "assistant", "content": "Welcome."},
        ],
    },
    {
        "messages": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "A", "reasoning_content": "\nearlier\n"},
            {"role": "user", "content": "Q2"},
            {"role": "assistant", "content": None, "reasoning_content": "first", "tool_calls": [CALL]},
            {"role": "tool", "content": "x"},
            {"role": "assistant", "content": "\nA2", "reasoning_content": "\nthen\nthat\n"},
        ],
    },
]
template = open(sys.argv[1], encoding="utf-8").read()
for case in CASES:
    case["text"] = render_jinja_template(conversations=[case["messages"]], tools=case.get("tools"), chat_template=template)[0][0]
json.dump(CASES, sys.stdout, ensure_ascii=False, indent=1)
print()
