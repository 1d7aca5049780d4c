#!/usr/bin/env bash
# Good guess: a prompt's pooled embedding (CLIP scores, the second condition of SDXL) is read at the end-of-text token,
#   also after a new token was added, as textual inversion and Custom Diffusion do.
# What happens: where the text encoder's configuration says `eos_token_id: 2`, as those of the original CLIP and of the
#   text encoders of Stable Diffusion do, transformers reads it at the largest id of the prompt. That is end-of-text only
#   as long as no id is above it, and every added token has one. The pooled embedding of each prompt with a new token is
#   then that of the token's position, which has not seen the words after it: prompts that differ only behind the token
#   have the same one. The hidden states are right, so that pictures change little, and nothing warns.
#   Setting `config.eos_token_id` of a loaded text encoder changes nothing: it was copied when the model was made.
# Versions: transformers 5.23.0, torch 2.13.0. Source: seen by running this. Way around: set
#   `text_encoder.text_model.eos_token_id` to the tokenizer's, or the configuration's before the model is made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

START, END, NEW, RED, BLUE = 10, 11, 12, 3, 4  # the new token's id comes after end-of-text, as `add_tokens` gives it
sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
torch.manual_seed(0)
config = CLIPTextConfig(vocab_size=12, projection_dim=16, bos_token_id=START, pad_token_id=END, eos_token_id=2, **sizes)
model = CLIPTextModelWithProjection(config).eval()
model.resize_token_embeddings(13)


@torch.inference_mode()
def same(first, second):
    embeddings = model(torch.tensor([[START, 5, first, second[0], END], [START, 5, first, second[1], END]])).text_embeds
    return torch.equal(embeddings[0], embeddings[1])


known, added = same(6, (RED, BLUE)), same(NEW, (RED, BLUE))
model.config.eos_token_id = END
too_late = same(NEW, (RED, BLUE))
model.text_model.eos_token_id = END
mended = same(NEW, (RED, BLUE))
print("two prompts that end in other words have the same pooled embedding")
print("without a new token:                  ", known)
print("with a new token before these words:  ", added)
print("with that, configuration corrected:   ", too_late)
print("with that, text_model corrected:      ", mended)
assert (known, added, too_late, mended) == (False, True, True, False)
PYTHON
