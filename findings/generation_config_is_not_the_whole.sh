#!/usr/bin/env bash
# Good guess: `model.generate(generation_config=GenerationConfig(...))` uses that configuration and nothing else, as the
#   argument replaces `model.generation_config`.
# What happens: its fields have the value None unless given, and every None is filled from the checkpoint's own
#   generation_config. So a checkpoint's repetition penalty and end-of-text token change the reply of a caller who asked
#   for plain greedy decoding, without a warning; two checkpoints get different settings from the same call.
# Versions: transformers 5.23.0, torch 2.13.0. Source: seen by running this. Way around: give every field that matters a
#   value (`repetition_penalty=1.0`), or set `model.generation_config` to the wanted one before the call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
sizes = {"vocab_size": 20, "n_positions": 64, "n_embd": 16, "n_layer": 1, "n_head": 1}
model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=19)).eval()
prompt = torch.tensor([[1, 2, 3]])


def reply(**given):
    settings = GenerationConfig(max_new_tokens=12, do_sample=False, pad_token_id=0, **given)
    return model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=settings)[0, 3:].tolist()


before = reply()
model.generation_config.repetition_penalty = 50.0  # as a checkpoint's generation_config.json may have it
filled, explicit = reply(), reply(repetition_penalty=1.0)
print("greedy reply:                             ", before)
print("with a penalty in the checkpoint:         ", filled)
print("with that and repetition_penalty=1.0 given:", explicit)
assert GenerationConfig().repetition_penalty is None
assert filled != before
assert explicit == before
PYTHON
