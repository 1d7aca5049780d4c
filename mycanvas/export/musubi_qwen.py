"""The commands with which musubi-tuner trains a LoRA of a model of the Qwen-Image family."""

from __future__ import annotations


def qwen_image_commands(version: str, name: str) -> list[list[str]]:
    """Commands for `recipe.write_script`, with the variables MODEL, VAE, TEXT_ENCODER and MUSUBI.

    Args:
        version: musubi-tuner's name of the model, such as "edit-2511".
        name: of the trained files.
    """
    scripts, data = "$MUSUBI/src/musubi_tuner", ["--dataset_config", "dataset.toml", "--model_version", version]
    return [
        ["python", f"{scripts}/qwen_image_cache_latents.py", *data, "--vae", "$VAE"],
        ["python", f"{scripts}/qwen_image_cache_text_encoder_outputs.py", *data, "--text_encoder", "$TEXT_ENCODER"],
        [
            *("accelerate", "launch", "--num_cpu_threads_per_process", "1", "--mixed_precision", "bf16"),
            *(f"{scripts}/qwen_image_train_network.py", *data),
            *("--dit", "$MODEL", "--vae", "$VAE", "--text_encoder", "$TEXT_ENCODER"),
            *("--sdpa", "--mixed_precision", "bf16", "--gradient_checkpointing", "--fp8_base", "--fp8_scaled"),
            *("--timestep_sampling", "shift", "--discrete_flow_shift", "2.2", "--weighting_scheme", "none"),
            *("--network_module", "networks.lora_qwen_image", "--network_dim", "32", "--network_alpha", "32"),
            *("--optimizer_type", "adamw8bit", "--learning_rate", "1e-4", "--max_train_steps", "2000", "--seed", "0"),
            *("--output_dir", "trained", "--output_name", name),
        ],
    ]
