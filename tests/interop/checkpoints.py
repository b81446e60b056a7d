"""Random checkpoints written by transformers, answered by transformers and by the program.

    python tests/interop/checkpoints.py build/release/apps/paligemma [--count 64] [--seed 1]

Each checkpoint has its own odd sizes, family, dtype, sharding, tensor names and preprocessor. The answers must be the
same ids up to the first near-tie, and log-probabilities the same to 2e-3 up to there.
"""

import argparse
import json
import math
import pathlib
import random
import shutil
import subprocess
import tempfile

import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
TOKENIZER = GOLDEN / "models" / "pg2"
PICTURES = ["astronaut.jpg", "cat.png", "rocket_422.jpg"]
PROMPTS = ["caption en", "detect cat ; dog", "answer en where is the cat?", "ocr"]
IMAGE_TOKEN = 2310
OLD_TRANSFORMERS = transformers.__version__ < "5"
NEAR_TIE = 1e-3
NEW_TOKENS = 16


def random_config(rng, plain=False):
    """`plain`: with the constants that big_vision and KerasHub have no field for."""
    gemma2 = rng.random() < 0.6
    kv_heads = rng.choice([1, 1, 2, 3, 4])
    heads = kv_heads * rng.choice([1, 2, 3, 4])
    head_dim = rng.choice([8, 10, 16, 18, 24, 32, 62])
    width = heads * rng.choice([5, 9, 12, 16, 25]) * (2 if heads < 3 else 1)  # transformers wants a multiple of heads
    patch = rng.choice([7, 10, 14, 14, 16])
    grid = rng.choice([2, 3, 4, 5, 8])
    vision_heads = rng.choice([1, 2, 3, 4])
    vision_width = vision_heads * rng.choice([6, 9, 12, 16, 20])
    vocabulary = rng.choice([2311, 2320, 2368, 2400, 2433])
    text = dict(
        model_type="gemma2" if gemma2 else "gemma",
        hidden_size=width,
        intermediate_size=rng.choice([33, 57, 80, 112, 160]),
        num_hidden_layers=rng.randint(1, 4),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=vocabulary,
        hidden_activation="gelu_pytorch_tanh",
        rope_theta=rng.choice([10000.0, 10000.0, 500.0]),
        rms_norm_eps=rng.choice([1e-6, 1e-6, 1e-5]),
    )
    if gemma2:
        text.update(
            query_pre_attn_scalar=rng.choice([head_dim, 144, 256]),
            attn_logit_softcapping=rng.choice([50.0, 50.0, 5.0, None]),
            final_logit_softcapping=rng.choice([30.0, 30.0, 8.0, None]),
        )
    vision = dict(
        hidden_size=vision_width,
        intermediate_size=rng.choice([41, 64, 80, 100]),
        num_hidden_layers=rng.randint(1, 3),
        num_attention_heads=vision_heads,
        patch_size=patch,
        image_size=patch * grid,
        projection_dim=width,
        vision_use_head=False,
        layer_norm_eps=rng.choice([1e-6, 1e-6, 1e-5]),
    )
    if plain:
        text.update(rope_theta=10000.0, rms_norm_eps=1e-6)
        vision.update(layer_norm_eps=1e-6)
        if gemma2:
            text.update(query_pre_attn_scalar=rng.choice([head_dim, width // heads]))
    return PaliGemmaConfig(
        text_config=text, vision_config=vision, image_token_index=IMAGE_TOKEN, projection_dim=width, bos_token_id=2, eos_token_id=1
    )


def fill(model, seed):
    """Weights large enough for varied answers."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.named_parameters():
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("bias"):
            scale = 0.1
        elif "norm" in name:
            scale = 0.2
        elif "position_embedding" in name:
            scale = 0.5
        elif "embed_tokens" in name:
            scale = 3 / math.sqrt(tensor.shape[1])
        else:
            scale = 1 / math.sqrt(tensor[0].numel())
        centre = 1 if "layer_norm" in name and name.endswith("weight") or "post_layernorm.weight" in name else 0
        tensor.data = centre + scale * noise
        if "embed_tokens" in name:  # padding, which never wins in published files and is never chosen by the program
            tensor.data[IMAGE_TOKEN:] *= 0.02


# Prefixes of tensor names: in the memory of transformers 5, before 4.52, from 4.52 to 4.57.
SPELLINGS = [
    ("model.language_model.", "language_model.model.", "model.language_model."),
    ("model.vision_tower.", "vision_tower.vision_model.", "model.vision_tower.vision_model."),
    ("model.multi_modal_projector.", "multi_modal_projector.", "model.multi_modal_projector."),
    ("lm_head.", "language_model.lm_head.", "lm_head."),
]


def respelled(name, column):
    name = name.replace("vision_tower.vision_model.", "vision_tower.")  # in the memory of transformers 4
    for row in SPELLINGS:
        if name.startswith(row[0]):
            return row[column] + name[len(row[0]) :]
    raise ValueError(name)


def write(folder, rng, model, processor):
    """Saves with a random sharding, dtype, spelling of names and of configuration. Says which."""
    model.save_pretrained(folder, max_shard_size=rng.choice(["20KB", "100KB", "1GB"]))
    processor.save_pretrained(folder)
    shutil.copy(TOKENIZER / "tokenizer.model", folder)
    said = ["saved"]
    column = rng.choice([None, 0, 1, 1, 2])
    if column == 0 and OLD_TRANSFORMERS:  # which does not read them
        column = 2
    if column is not None:
        for file in folder.glob("model*.safetensors*"):
            file.unlink()
        tensors = {respelled(name, column): tensor for name, tensor in model.named_parameters()}
        if rng.random() < 0.3:
            tensors[respelled("lm_head.weight", column)] = model.get_input_embeddings().weight.clone()
        parts = rng.choice([1, 1, 2, 5])
        if parts == 1:
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        else:
            files = {name: f"model-{rng.randint(1, parts):05}-of-{parts:05}.safetensors" for name in sorted(tensors)}
            for file in set(files.values()):
                save_file({n: t for n, t in tensors.items() if files[n] == file}, folder / file, metadata={"format": "pt"})
            (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
        said = [["current names", "published names", "middle names"][column], f"{len(tensors)} tensors in {parts}"]
    config = json.loads((folder / "config.json").read_text())
    if rng.random() < 0.3:  # wrong in published files, and never to be read
        config["hidden_size"] = 2048
        config["vision_config"]["num_positions"] = 256
        (folder / "config.json").write_text(json.dumps(config))
        said.append("wrong unused fields")
    return ", ".join(said)


def make(folder, rng, seed, plain=False):
    config = random_config(rng, plain)
    model = PaliGemmaForConditionalGeneration(config).eval()
    fill(model, seed)
    dtype = rng.choice([torch.float32, torch.bfloat16, torch.float16])
    model = model.to(dtype)
    # Named, which transformers 4 and 5 both read.
    processor = PaliGemmaProcessor.from_pretrained(TOKENIZER, extra_special_tokens={"image_token": "<image>"})
    side = config.vision_config.image_size
    tokens = (side // config.vision_config.patch_size) ** 2
    processor.image_processor.size = {"height": side, "width": side}
    processor.image_processor.image_seq_length = tokens
    processor.image_seq_length = tokens
    if not plain:
        processor.image_processor.resample = rng.choice([3, 3, 2])
    if not plain and rng.random() < 0.3:
        processor.image_processor.image_mean = [0.4, 0.5, 0.6]
        processor.image_processor.image_std = [0.3, 0.25, 0.2]
    said = write(folder, rng, model, processor)
    text, vision = config.text_config, config.vision_config
    return (
        f"{text.model_type} d {text.hidden_size}, {text.num_hidden_layers} layers, {text.num_attention_heads}/"
        f"{text.num_key_value_heads} heads of {text.head_dim}, vision {vision.hidden_size} x {vision.num_hidden_layers}, "
        f"{side} px, {str(dtype)[6:]}, {said}"
    )


def capped(model, logits):
    """transformers 4.52 to 4.57 leave PaliGemma 2's final cap out."""
    cap = getattr(model.config.text_config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if OLD_TRANSFORMERS and cap else logits


def reference(folder, questions, change=lambda model: model, rows=None, new_tokens=NEW_TOKENS):
    """Ids, log-probabilities and distances to the second choice, among the first `rows` of the vocabulary."""
    model = PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model = change(model).eval()
    processor = PaliGemmaProcessor.from_pretrained(folder)
    answers = []
    for picture, prompt in questions:
        image = Image.open(picture).convert("RGB")
        inputs = processor(text="<image>" + prompt, images=image, return_tensors="pt")
        with torch.no_grad():
            out = model.generate(
                **inputs, max_new_tokens=new_tokens, do_sample=False, return_dict_in_generate=True, output_logits=True
            )
        ids = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        logits = capped(model, torch.stack(out.logits)[:, 0, :rows].double())
        best = logits.topk(2).values
        logprobs = logits.log_softmax(-1)[range(len(ids)), ids].tolist()
        answers.append((ids, logprobs, (best[:, 0] - best[:, 1]).tolist()))
    return answers


def ours(program, folder, questions, scratch, extra=()):
    requests = scratch / "requests.jsonl"
    requests.write_text(
        "".join(json.dumps({"image": str(p), "prompt": q, "max_tokens": NEW_TOKENS}) + "\n" for p, q in questions)
    )
    command = [program, "run", "--requests", requests, "-m", folder, "--compute", "f32", "--exif", "ignore", "--jsonl", "--logprobs", "-q"]
    done = subprocess.run([*command, *extra], capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return [([t["id"] for t in r["tokens"]], [t["logprob"] for t in r["tokens"]]) for r in results]


def compare(expected, got):
    """Number of ids compared, or what differs."""
    compared = 0
    for question, ((ids, logprobs, margins), (our_ids, our_logprobs)) in enumerate(zip(expected, got, strict=True)):
        exact = next((i for i, margin in enumerate(margins) if margin < NEAR_TIE), len(ids))
        if our_ids[:exact] != ids[:exact] or (exact == len(ids) and our_ids != ids):
            return f"question {question}: expected {ids}, got {our_ids}, first near-tie at {exact}"
        worst = max((abs(a - b) for a, b in zip(logprobs[:exact], our_logprobs)), default=0)
        if worst > 2e-3:
            return f"question {question}: log-probabilities differ by {worst}"
        compared += exact
    return compared


class Tally:
    def __init__(self):
        self.failures = self.count = self.ids = 0

    def add(self, what, expected, got):
        verdict = got if isinstance(got, str) else compare(expected, got)
        failed = isinstance(verdict, str)
        self.count += 1
        self.failures += failed
        self.ids += 0 if failed else verdict
        print(f"{what}: {'DIFFERS: ' + verdict if failed else f'{verdict} ids equal'}", flush=True)

    def end(self, things):
        print(f"{self.count - self.failures} of {self.count} {things} equal, {self.ids} ids compared")
        raise SystemExit(self.failures != 0)


def arguments(count, add=lambda parser: None):
    parser = argparse.ArgumentParser()
    add(parser)
    parser.add_argument("program", type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=1)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return parser.parse_args()


def main():
    options = arguments(64)
    questions = [(GOLDEN / "pictures" / p, q) for p in PICTURES for q in PROMPTS]
    tally = Tally()
    for index in range(options.count):
        seed = options.seed * 1000 + index
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "model"
            folder.mkdir()
            what = make(folder, random.Random(seed), seed)
            got = ours(options.program, folder, questions, pathlib.Path(name))
            tally.add(f"{index}: {what}", reference(folder, questions), got)
    tally.end("checkpoints")


if __name__ == "__main__":
    main()
