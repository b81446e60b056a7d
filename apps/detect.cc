// paligemma detect: boxes around things.
#include "labels.h"

namespace paligemma {
namespace {

int run_detect(const Command& command, std::span<const std::string> arguments, Session& session) {
  return find_labels(Task::detect, command, arguments, session);
}

}  // namespace

const Command kDetect{.name = "detect",
                      .words = "LABELS IMAGE...",
                      .fewest_words = 2,
                      .summary = "Find things and put boxes around them",
                      .examples =
                          "  paligemma detect cow beach.jpg\n"
                          "  paligemma detect 'chair ; table' rooms/ -o found/\n"
                          "  paligemma detect 'chair ; table' rooms/ --format yolo -o labels/\n",
                      .run = run_detect};

}  // namespace paligemma
