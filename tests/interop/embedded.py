"""The embedded model, as transformers loads it from models/pocket or from another folder: the same ids on scenes of its
world.

    python tests/interop/embedded.py build/release/apps/paligemma [--count 200] [--seed 1] [--model models/pocket]

`--count` scenes, and of each as many questions as `paligemma scenes --questions 4` keeps, those with an empty answer too.
"""

import json
import pathlib
import subprocess
import tempfile

import checkpoints

POCKET = pathlib.Path(__file__).parents[2] / "models/pocket"


def main():
    options = checkpoints.arguments(200, lambda parser: parser.add_argument("--model", default=POCKET, type=pathlib.Path))
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
