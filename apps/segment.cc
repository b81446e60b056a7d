// paligemma segment: the outlines of things.
#include "labels.h"

namespace paligemma {
namespace {

int run_segment(const Command& command, std::span<const std::string> arguments, Session& session) {
  return find_labels(Task::segment, command, arguments, session);
}

}  // namespace

const Command kSegment{.name = "segment",
                       .words = "LABELS IMAGE...",
                       .fewest_words = 2,
                       .summary = "Find things and say which pixels are theirs; with -o FOLDER also a mask for each",
                       .examples =
                           "  paligemma segment cow beach.jpg -o cow.png\n"
                           "  paligemma segment 'cow ; dog' photos/ -o masks/\n"
                           "  paligemma segment 'cow ; dog' photos/ --format coco -o cows.json\n",
                       .run = run_segment};

}  // namespace paligemma
