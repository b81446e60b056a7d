"""The embedded model, as transformers loads it from models/pocket or from another folder: the same ids on scenes of its
world.

    python tests/interop/embedded.py build/release/apps/paligemma [--count 200] [--seed 1] [--model models/pocket]
    python tests/interop/embedded.py build/release/apps/paligemma --write tests/golden/pocket/answers.json

`--count` scenes, and of each as many questions as `paligemma scenes --questions 4` keeps, those with an empty answer too.
`--write` keeps what transformers says to all that the demo asks about the drawn pictures.
"""

import json
import pathlib
import subprocess
import tempfile

import checkpoints
from transformers import AutoTokenizer

POCKET = pathlib.Path(__file__).parents[2] / "models/pocket"


def write(options):
    with tempfile.TemporaryDirectory() as name:
        done = subprocess.run([options.program, "demo", name, "--force", "--json", "-q"], capture_output=True, check=True)
    asked = [(result["image"]["path"], result["prompt"]) for result in json.loads(done.stdout)]
    questions = [(POCKET / "pictures" / picture, prompt) for picture, prompt in asked if (POCKET / "pictures" / picture).exists()]
    decode = AutoTokenizer.from_pretrained(options.model).decode
    answers = []
    for (picture, prompt), (ids, _, _) in zip(questions, checkpoints.reference(options.model, questions, new_tokens=100), strict=True):
        answers.append({"picture": picture.name, "prompt": prompt, "ids": ids, "text": decode([i for i in ids if i != 1]).strip()})
    options.write.write_text("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in answers) + "\n]\n")
    print(f"{len(answers)} answers")


def add_options(parser):
    parser.add_argument("--model", default=POCKET, type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)


def main():
    options = checkpoints.arguments(200, add_options)
    if options.write:
        return write(options)
    tally = checkpoints.Tally()
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        subprocess.run(
            [options.program, "scenes", "--count", str(options.count), "--seed", str(900_000 + options.seed), "--size", "224",
             "--questions", "4", "-o", scratch / "scenes", "-q"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        rows = [json.loads(line) for line in (scratch / "scenes/rows.jsonl").read_text().splitlines()]
        questions = [(scratch / "scenes" / row["image"], row["prefix"]) for row in rows]
        expected = checkpoints.reference(options.model, questions)
        got = checkpoints.ours(options.program, options.model, questions, scratch)
        # Each question by itself, so that all that differ are counted.
        for row, one, own in zip(rows, expected, got, strict=True):
            tally.add(f"{row['image']}: {row['prefix']}", [one], [own])
    tally.end("answers")


if __name__ == "__main__":
    main()
