"""A run's event file as tensorboard reads it.

    python tests/interop/events.py build/release/tests/train/test_train

The test program writes a file (PALIGEMMA_KEEP_EVENTS), and every number must come back, a step that was done twice once.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from tensorboard.backend.event_processing import event_accumulator


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, PALIGEMMA_KEEP_EVENTS=folder)
        subprocess.run([program, "--gtest_filter=EventFile.IsKeptForTensorBoard"], env=environment, check=True, capture_output=True)
        events = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0})
        events.Reload()
        scalars = [(each.step, round(each.value, 5)) for each in events.Scalars("train/loss")]
        expected = [(step, round(1 / step, 5)) for step in range(1, 61)] + [(step, round(2 / step, 5)) for step in range(61, 301)]
        assert scalars == expected, scalars
        assert [each.step for each in events.Images("samples/0")] == [300]
        picture = events.Images("samples/0")[0]
        assert (picture.width, picture.height) == (2, 1) and picture.encoded_image_string[:4] == b"\x89PNG"
    print(f"events: {len(scalars)} numbers and a picture as tensorboard reads them")


if __name__ == "__main__":
    main()
