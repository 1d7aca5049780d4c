"""OmniGen2, and OpenSubject, which reads the same: JSONL of pairs, the YAML that lists it, and training options.

Its own options limit the pixels of up to four references, and a row with five is then silently replaced by another
one. `train.yml` has a limit for five; the model has embeddings for five. Each number of references has a file of its
own, so that other options can leave one out. Paths are relative to the exported folder, where the command runs.
JSON is YAML, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mycanvas.export.pairs import Pair, write_pairs
from mycanvas.export.recipe import run_name, write_json, write_json_lines, write_script
from mycanvas.export.source import Source

PIXELS = (1024**2, 1024**2, 768**2, 512**2, 512**2)
"""Most pixels of a reference in scenes with 1, 2, … references; the first four as in OmniGen2's own options."""


def write_omnigen2(source: Source, output: Path) -> None:
    """Write pictures, JSONL, options and the command."""
    groups = write_pairs(source, output)
    for count, pairs in groups.items():
        write_json_lines(output / f"pairs_{count}.jsonl", map(_row, pairs))
    data = [{"path": f"pairs_{count}.jsonl", "type": "ic", "ratio": 1.0} for count in groups]
    write_json(output / "data.yml", {"data": data})
    write_json(output / "train.yml", _options(source))
    arguments = {"OMNIGEN2": "the folder of OmniGen2; it downloads its models"}
    write_script(output, arguments, [["accelerate", "launch", "$OMNIGEN2/train.py", "--config", "train.yml"]])


def _row(pair: Pair) -> dict[str, Any]:
    return {
        "task_type": "ic",
        "instruction": pair.caption,
        "input_images": list(pair.references),
        "output_image": pair.image,
    }


def _options(source: Source) -> dict[str, Any]:
    """Options for a LoRA on one GPU; the architecture is that of the published model."""
    return {
        "name": run_name(source),
        "seed": 0,
        "device_specific_seed": True,
        "workder_specific_seed": True,
        "data": {
            "data_path": "data.yml",
            "use_chat_template": True,
            "maximum_text_tokens": 888,
            "prompt_dropout_prob": 0.0001,
            "ref_img_dropout_prob": 0.5,
            "max_output_pixels": 1024**2,
            "max_input_pixels": list(PIXELS),
            "max_side_length": 2048,
        },
        "model": {
            "pretrained_vae_model_name_or_path": "black-forest-labs/FLUX.1-dev",
            "pretrained_text_encoder_model_name_or_path": "Qwen/Qwen2.5-VL-3B-Instruct",
            "pretrained_model_path": "OmniGen2/OmniGen2",
            "arch_opt": {
                "patch_size": 2,
                "in_channels": 16,
                "hidden_size": 2520,
                "num_layers": 32,
                "num_refiner_layers": 2,
                "num_attention_heads": 21,
                "num_kv_heads": 7,
                "multiple_of": 256,
                "norm_eps": 0.00001,
                "axes_dim_rope": [40, 40, 40],
                "axes_lens": [10000, 10000, 10000],
                "text_feat_dim": 2048,
                "timestep_scale": 1000.0,
            },
        },
        "transport": {"snr_type": "lognorm", "do_shift": True, "dynamic_time_shift": True},
        "train": {
            "global_batch_size": 16,
            "batch_size": 1,
            "gradient_accumulation_steps": 16,
            "max_train_steps": 2000,
            "dataloader_num_workers": 4,
            "learning_rate": 0.0001,
            "scale_lr": False,
            "lr_scheduler": "timm_constant_with_warmup",
            "warmup_t": 100,
            "warmup_lr_init": 0.0,
            "warmup_prefix": True,
            "t_in_epochs": False,
            "use_8bit_adam": False,
            "adam_beta1": 0.9,
            "adam_beta2": 0.95,
            "adam_weight_decay": 0.01,
            "adam_epsilon": 0.00000001,
            "max_grad_norm": 1,
            "gradient_checkpointing": True,
            "set_grads_to_none": True,
            "allow_tf32": False,
            "mixed_precision": "bf16",
            "ema_decay": 0.0,
            "lora_ft": True,
            "lora_rank": 8,
            "lora_dropout": 0,
        },
        "val": {"validation_steps": 500, "train_visualization_steps": 100},
        "logger": {"log_with": ["tensorboard"], "checkpointing_steps": 500, "checkpoints_total_limit": None},
        "cache_dir": None,
        "resume_from_checkpoint": "latest",
    }
