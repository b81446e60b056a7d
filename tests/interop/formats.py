"""What detect and segment write for other tools, read back by those tools.

    python tests/interop/formats.py build/release/apps/paligemma [--pictures models/pocket/pictures]

The truth is the program's own --jsonl. Boxes and masks read from each form must equal it: exactly where the form holds
them so, else as near as the form's definition (YOLO: 6 decimals; Pascal VOC: whole pixels).
"""

import argparse
import contextlib
import copy
import csv
import io
import json
import math
import pathlib
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

import numpy as np
import supervision
import yaml
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

QUESTIONS = [("segment", "cow"), ("segment", "cow ; lion"), ("segment", "car"), ("detect", "cow ; lion ; tree"),
             ("detect", "sign, car")]
ODD_NAMES = ["plain.png", "two words.png", 'a & b, "c" <d>.png', "소.png", "dots.in.name.png"]


def run(program, *arguments):
    done = subprocess.run([program, *arguments, "-q"], capture_output=True)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr.decode())
    return done.stdout.decode()


def read_truth(program, task, labels, pictures):
    """Path -> objects, each with its mask as an array or None."""
    truth = {}
    for line in run(program, task, labels, str(pictures), "--jsonl").splitlines():
        result = json.loads(line)
        for found in result["objects"]:
            found["picture"] = result["image"]
            found["pixels"] = coco_mask.decode(found["mask"]).astype(bool) if found["mask"] else None
        truth[result["image"]["path"]] = result["objects"]
    return truth


def fill(polygon, width, height):
    """Pixels whose middle is inside a closed polygon by the even-odd rule."""
    points = np.asarray(polygon, float).reshape(-1, 2)
    (x1, y1), (x2, y2) = points.T, np.roll(points, -1, axis=0).T
    inside = np.zeros((height, width), bool)
    middles = np.arange(width) + 0.5
    for row in range(height):
        y = row + 0.5
        cut = (y1 < y) != (y2 < y)
        low, high = np.where(y1 < y2, (x1, x2), (x2, x1))[:, cut]  # one direction for both ways along a seam
        top, bottom = np.minimum(y1, y2)[cut], np.maximum(y1, y2)[cut]
        crossings = low + (y - top) / (bottom - top) * (high - low)
        inside[row] = (crossings[:, None] < middles).sum(axis=0) % 2 == 1
    return inside


def near(a, b, tolerance):
    assert np.allclose(np.asarray(a, float), np.asarray(b, float), rtol=0, atol=tolerance), (a, b)


def same_mask(a, found):
    if found["pixels"] is not None and found["pixels"].any():
        assert np.array_equal(a, found["pixels"]), "masks differ"


def grown(mask):
    """The mask and its eight neighbours: what a filler that draws a polygon's edge too may cover."""
    padded = np.pad(mask, 1)
    return np.any([padded[1 + dy:padded.shape[0] - 1 + dy, 1 + dx:padded.shape[1] - 1 + dx]
                   for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)


def check_supervision(dataset, truth, names, boxes, exact_masks, masks=True):
    """`names` maps the truth's labels to the data set's classes; `boxes` is the tolerance in pixels."""
    found = {pathlib.Path(path).name: annotations for path, annotations in dataset.annotations.items()}
    assert len(found) == len(truth)
    for path, objects in truth.items():
        annotations = found[pathlib.Path(path).name]
        assert len(annotations) == len(objects), path
        for i, one in enumerate(objects):
            assert dataset.classes[annotations.class_id[i]] == names(one["label"])
            if boxes is not None:
                near(annotations.xyxy[i], one["box"], boxes)
            if masks and one["pixels"] is not None and one["pixels"].any():
                got = np.asarray(annotations.mask[i], bool)
                if exact_masks:
                    same_mask(got, one)
                else:
                    assert not (one["pixels"] & ~got).any()
                    seams = got & ~grown(one["pixels"])
                    assert seams.sum() <= 0.01 * one["pixels"].sum()


def named(label):
    return label or "object"


def check_coco(program, task, labels, pictures, truth, folder):
    file = folder / "coco.json"
    run(program, task, labels, str(pictures), "--format", "coco", "-o", str(file))
    assert json.loads(run(program, task, labels, str(pictures), "--format", "coco")) == json.loads(file.read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(file))
        coco.loadRes(copy.deepcopy(coco.dataset["annotations"]))  # results of an evaluation have the same form
    for image in coco.loadImgs(coco.getImgIds()):
        objects = truth[str(pictures / image["file_name"])]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert len(annotations) == len(objects)
        for annotation, one in zip(annotations, objects):
            x, y, width, height = annotation["bbox"]
            near([x, y, x + width, y + height], one["box"], 1e-9)
            assert coco.loadCats(annotation["category_id"])[0]["name"] == named(one["label"])
            assert annotation["score"] == one["score"] and annotation["iscrowd"] == 0
            if annotation["segmentation"]:
                same_mask(coco.annToMask(annotation).astype(bool), one)
                assert annotation["area"] == one["pixels"].sum()
            else:
                assert one["pixels"] is None or not one["pixels"].any()
                near(annotation["area"], width * height, 1e-6)
    dataset = supervision.DetectionDataset.from_coco(str(pictures), str(file))
    check_supervision(dataset, truth, named, 1e-3, exact_masks=True)


def check_yolo(program, task, labels, pictures, truth, folder):
    place = folder / "yolo"
    run(program, task, labels, str(pictures), "--format", "yolo", "-o", str(place))
    classes = (place / "classes.txt").read_text().splitlines()
    data = yaml.safe_load((place / "data.yaml").read_text())
    assert list(data["names"].values()) == classes and data["nc"] == len(classes)
    asked = [label.strip() for label in labels.replace(",", ";").split(";")]
    assert classes[: len(asked)] == asked
    for path, objects in truth.items():
        lines = (place / (pathlib.Path(path).stem + ".txt")).read_text().splitlines()
        assert len(lines) == len(objects)
        for line, one in zip(lines, objects):
            category, *values = line.split(" ")
            assert classes[int(category)] == named(one["label"])
            width, height = one["picture"]["width"], one["picture"]["height"]
            values = np.asarray(values, float).reshape(-1, 2) * [width, height]
            if task == "detect":
                near(np.concatenate([values[0] - values[1] / 2, values[0] + values[1] / 2]), one["box"], 1e-3)
            elif one["pixels"] is None:
                near(np.concatenate([values.min(axis=0), values.max(axis=0)]), one["box"], 1e-3)
            else:
                same_mask(fill(values, width, height), one)
    dataset = supervision.DetectionDataset.from_yolo(str(pictures), str(place), str(place / "data.yaml"))
    # supervision takes a polygon's own box, and draws its edges, seams between its parts among them.
    check_supervision(dataset, truth, named, 1e-2 if task == "detect" else None, exact_masks=False)


def pixel_edges(low, high, side):
    first, last = math.floor(low + 0.5), math.floor(high + 0.5)
    middle = min(int((low + high) / 2), side - 1)
    return (first, last) if last > first else (middle, middle + 1)


def check_voc(program, task, labels, pictures, truth, folder):
    place = folder / "voc"
    run(program, task, labels, str(pictures), "--format", "voc", "-o", str(place))
    for path, objects in truth.items():
        root = ElementTree.parse(place / (pathlib.Path(path).stem + ".xml")).getroot()
        assert root.findtext("filename") == pathlib.Path(path).name and root.findtext("path") == path
        nodes = root.findall("object")
        assert len(nodes) == len(objects)
        for node, one in zip(nodes, objects):
            assert node.findtext("name") == named(one["label"])
            x1, y1, x2, y2 = one["box"]
            left, right = pixel_edges(x1, x2, one["picture"]["width"])
            top, bottom = pixel_edges(y1, y2, one["picture"]["height"])
            box = [int(node.find("bndbox").findtext(edge)) for edge in ("xmin", "ymin", "xmax", "ymax")]
            assert box == [left + 1, top + 1, right, bottom]
    dataset = supervision.DetectionDataset.from_pascal_voc(str(pictures), str(place))
    check_supervision(dataset, truth, named, 0.5, exact_masks=False, masks=False)


def check_labelme(program, task, labels, pictures, truth, folder):
    place = folder / "labelme"
    run(program, task, labels, str(pictures), "--format", "labelme", "-o", str(place))
    for path, objects in truth.items():
        file = place / (pathlib.Path(path).stem + ".json")
        document = json.loads(file.read_text())
        assert (place / document["imagePath"]).resolve() == pathlib.Path(path).resolve()
        assert len(document["shapes"]) == len(objects)
        for shape, one in zip(document["shapes"], objects):
            assert shape["label"] == named(one["label"]) and shape["score"] == one["score"]
            if shape["shape_type"] == "rectangle":
                near(np.ravel(shape["points"]), one["box"], 0)
            else:
                same_mask(fill(shape["points"], document["imageWidth"], document["imageHeight"]), one)


def check_csv(program, task, labels, pictures, truth, folder):
    text = run(program, task, labels, str(pictures), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    objects = [(path, one) for path, found in truth.items() for one in found]
    assert len(rows) == len(objects)
    for row, (path, one) in zip(rows, objects):
        assert row["path"] == path and row["label"] == one["label"] and float(row["score"]) == one["score"]
        near([float(row[edge]) for edge in ("x1", "y1", "x2", "y2")], one["box"], 0)
        if task == "segment":
            assert row["rle"] == (one["mask"]["counts"] if one["mask"] else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--pictures", default=str(pathlib.Path(__file__).parents[2] / "models/pocket/pictures"))
    options = parser.parse_args()
    sources = sorted(pathlib.Path(options.pictures).glob("*.png"))
    with tempfile.TemporaryDirectory() as scratch:
        pictures = pathlib.Path(scratch).resolve() / "pictures"
        pictures.mkdir()
        for i, source in enumerate(sources):
            shutil.copy(source, pictures / (ODD_NAMES[i] if i < len(ODD_NAMES) else source.name))
        boxes = masks = 0
        for number, (task, labels) in enumerate(QUESTIONS):
            truth = read_truth(options.program, task, labels, pictures)
            folder = pathlib.Path(scratch) / str(number)
            folder.mkdir()
            for check in (check_coco, check_yolo, check_voc, check_labelme, check_csv):
                check(options.program, task, labels, pictures, truth, folder)
            found = [one for objects in truth.values() for one in objects]
            boxes += len(found)
            masks += sum(one["pixels"] is not None for one in found)
        assert boxes and masks
        print(f"{len(QUESTIONS)} questions, {len(sources)} pictures: {boxes} boxes and {masks} masks read back the same "
              "from coco, yolo, voc, labelme and csv")


if __name__ == "__main__":
    main()
