// The program around its commands: finds the one that is meant and turns what it throws into a line and an exit code.
#pragma once

#include <string>
#include <vector>

namespace paligemma {

// `arguments` without the program's name. Returns the exit code.
int run_program(const std::vector<std::string>& arguments);

}  // namespace paligemma
