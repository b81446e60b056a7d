"""Captions against the Java tokenizer and the Python scores of coco-caption.

    cmake --build --preset release --target interop_caption_scores
    python tests/interop/captions.py build/release/tests/interop/interop_caption_scores [--count 2000] [--seed 1]

Made captions try what the tokenizer has rules for. Words must be the same, scores to 1e-6.
"""

import argparse
import json
import random
import subprocess

import numpy as np
from pycocoevalcap.bleu.bleu_scorer import BleuScorer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

PLAIN = """a an the The A two three man woman dog cat cow bus street table tree sits stands rides is are was holding on in
of with near next to at and big small red old He It She They There This""".split()

NASTY = """can't don't won't it's he'll they've I'm he'd we're dogs' James's y'all 'tis 'twas cannot gonna wanna gotta o'clock
rock'n'roll O'Brien d'Artagnan l'eau ol' c'mon 'em 'til '90s '98 isn’t it’s ‘quoted’ don`t
Mr. Mrs. Dr. St. Ave. Jr. Inc. Co. Corp. Ltd. etc. vs. e.g. i.e. a.m. p.m. U.S. U.S.A. U.K. Ph.D. Jan. Sept. No. no. fig.
1 2 15 3.5 .5 1,000 1,000.50 10:30 1/2 3/4 5-6 -5 +5 1st 2nd 90's 1990s 1.5x 2x4 ½ ¾ ⅓ ⅔ ⅛ 1½ 10/12/2014 2014-10-12 555-1234
(555) 123-4567 555.123.4567 $5 US$5 £5 €5 5¢ ¥100 5% #1 #tag @user 5° 20°C x² H₂O
x-ray co-ed well-known state-of-the-art anti-war t-shirt stop-sign -- --- - – — a--b half-eaten, 5-year-old.
"hello" 'hello' ``hello'' “hello” «hello» " '' ` ... .... … wait... a...b . . .
http://www.foo.com/bar?x=1. https://a.b/c_(d) www.foo.com foo.com foo.org/x foo@bar.com <foo@bar.com> file.txt 1.jpg
café naïve 日本 Straße İstanbul ΣΑΣ Ελλάς кот 👩 ❤️ über e\u0301te\u0301 a\u00adb Ünïcödé ☃ → © ® ™ §
(a) [b] {c} <b>bold</b> <br/> < > << >> &amp; &lt; &gt; &quot; AT&T R&D a&b and/or w/ c++ C# :) ;-) :D ^_^ * ** = + ~ ^ | \\ / _ __
! !! ?! ?? , ; : . ., ,. !. "A 5'6" 6' 7" stop! sign, bus. dog; cat: tree? (red) "red," 'blue.'""".split()

MARKS = list(".,;:!?'\"`-/()[]&$#@%*…—’”")


def made_word(rng):
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(PLAIN)
    if kind < 0.85:
        return rng.choice(NASTY)
    if kind < 0.95:
        return rng.choice(PLAIN + NASTY) + rng.choice(MARKS) + rng.choice(["", rng.choice(PLAIN + NASTY)])
    word = list(rng.choice(NASTY))
    word.insert(rng.randrange(len(word) + 1), rng.choice(MARKS))
    return "".join(word)


def made_caption(rng):
    return " ".join(made_word(rng) for _ in range(rng.randint(1, 14)))


def made_examples(rng, count):
    """Predictions that share words with their references, and references; `count` captions in all."""
    examples = []
    while count > 0:
        references = [made_caption(rng) for _ in range(min(rng.randint(1, 5), max(count - 1, 1)))]
        words = rng.choice(references).split(" ")
        prediction = " ".join(word for word in words if rng.random() < 0.8) + " " + made_word(rng)
        examples.append({"prediction": prediction.strip(), "references": references})
        count -= 1 + len(references)
    return examples


def reference_scores(examples):
    predictions = {i: [{"caption": one["prediction"]}] for i, one in enumerate(examples)}
    references = {i: [{"caption": text} for text in one["references"]] for i, one in enumerate(examples)}
    tokenizer = PTBTokenizer()
    predictions, references = tokenizer.tokenize(predictions), tokenizer.tokenize(references)
    bleu = BleuScorer(n=4)
    for i, texts in references.items():
        bleu += (predictions[i][0], texts)
    bleu_all, bleu_each = bleu.compute_score(option="closest")
    return {"predictions": [texts[0] for texts in predictions.values()],
            "references": [text for texts in references.values() for text in texts],
            "cider": Cider().compute_score(references, predictions)[1],
            "rouge": Rouge().compute_score(references, predictions)[1],
            "bleu": bleu_all, "bleu_each": np.array(bleu_each).T}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    examples = made_examples(random.Random(arguments.seed), arguments.count)
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in examples)
    done = subprocess.run([arguments.program], input=lines.encode(), capture_output=True, check=True)
    ours, reference = json.loads(done.stdout), reference_scores(examples)

    captions = different = 0
    for key in ("predictions", "references"):
        assert len(ours[key]) == len(reference[key])
        for words, expected in zip(ours[key], reference[key]):
            captions += 1
            if " ".join(words) != expected:
                different += 1
                print(f"different words:\n  Java {expected!r}\n  here {' '.join(words)!r}")
    farthest = {key: float(np.abs(np.array(ours[key]) - np.array(reference[key])).max())
                for key in ("cider", "rouge", "bleu", "bleu_each")}
    worst = max(farthest.values())
    print(f"{captions - different} of {captions} captions have the same words; {len(examples)} examples, scores at most "
          f"{worst:.1e} apart")
    assert different == 0 and worst <= 1e-6, farthest


if __name__ == "__main__":
    main()
