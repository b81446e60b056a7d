// What all forms of data have in common: ids, answers, boxes, classes and pictures, looked at after reading.
#pragma once

#include "data/readers.h"

namespace paligemma {

// Leaves out what data/dataset.h says, and reports it. Gives ids to samples that have none. Throws Error{usage}:
// "bad_class" for the name of a class that cannot stand in a prompt, "data_no_suffix" or "data_empty" when nothing is
// left.
void check_samples(Reading& reading);

// Makes an object's box lie inside of width x height; the code of the problem where there is one: "box_empty",
// "box_outside" (the object is to be left out), "box_clipped" (more than `slack` was cut off).
const char* fit_box(std::array<double, 4>& box, double width, double height, double slack);

}  // namespace paligemma
