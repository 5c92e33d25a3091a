"""Write CLIP's vocabulary as the files that ``transformers.CLIPTokenizer`` reads.

    pip install --no-deps open-clip-torch
    python scripts/convert_tokenizer.py src/boothlab/assets/tokenizer

The merge list ``bpe_simple_vocab_16e6.txt.gz`` (MIT, OpenAI CLIP) comes with the package open-clip-torch. The
vocabulary follows from it: 256 bytes, the same with a word end, one token per merge, start and end of text.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path

MERGES = 49152 - 256 - 2
"""CLIP uses the first so many merges of the file."""


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in byte-level BPE, in CLIP's order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def main(out: str) -> None:
    """Read the merges, build the vocabulary, write both."""
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        raise SystemExit("open-clip-torch is not installed: pip install --no-deps open-clip-torch")
    packed = Path(spec.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    letters = byte_letters()
    tokens = letters + [f"{letter}</w>" for letter in letters]
    tokens += ["".join(line.split()) for line in lines]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
