// predictions.jsonl: answers of anybody's model to the examples of a data set, one JSON object a line.
//
//   {"id": "17", "prediction": "a cow"}
//   {"id": "18", "prediction": "<loc0010><loc0020><loc0500><loc0600> cow", "confidence": 0.93}
//   {"id": "19", "objects": [{"label": "cow", "box": [12.5, 8, 200, 160], "score": 0.91,
//                             "mask": {"size": [480, 640], "counts": "..."}}]}
//
//   id          text or a whole number: that of the example
//   prediction  text as the model wrote it. Its boxes are the objects, where there are no `objects` beside it
//   objects     what was found: box x1 y1 x2 y2 in pixels of the picture, x2 and y2 exclusive; label, score and mask
//   may
//               be missing. A mask is COCO's run lengths of the whole picture, [height, width] and text or numbers.
//               With a mask the box may be missing: it is then the rectangle around the pixels
//   confidence  how sure the answer is, from 0 to 1
//
// One of prediction and objects has to be there. Other fields are passed over, as are empty lines.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detect/parse.h"
#include "eval/records.h"

namespace paligemma {

struct Prediction {
  std::string id{};
  std::optional<std::string> text{};
  std::optional<std::vector<MarkedObject>> objects{};
  std::optional<double> confidence{};
  int line = 0;
};

// `where` names the file in messages. Throws Error{usage, "predictions"} that names the line, for one that is not as
// above and for an id that is there twice.
std::vector<Prediction> read_predictions(std::string_view text, std::string_view where);

// The mask of an object with mask codes, in a picture. Without one such objects have no mask.
using MaskOf = std::function<std::optional<Mask>(const Object& object, const Frame& frame)>;

// The objects that a prediction's text spells, for a picture of the frame.
std::vector<MarkedObject> objects_of(std::string_view text, const Frame& frame, const MaskOf& mask_of = {});

struct MatchedPredictions {
  std::vector<std::size_t> unanswered{};  // places of records without a prediction: they count as an empty answer
  std::vector<std::string> unknown{};     // ids of predictions without a record
};

// Puts predictions into the records with their ids. `divisor` is that of boxes in text. Throws Error{usage,
// "predictions"} for a mask of another size than the record's picture, and for boxes in text where the picture's size
// is not known.
MatchedPredictions take_predictions(std::span<Record> records, std::vector<Prediction> predictions, int divisor = 1023,
                                    const MaskOf& mask_of = {});

// The record's line of such a file, with its prefix and answers, without a line end.
std::string prediction_line(const Record& record);

}  // namespace paligemma
