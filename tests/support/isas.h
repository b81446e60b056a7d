// The instruction sets that tests run under: all that this machine can run.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"

namespace paligemma::testing {

inline std::vector<std::string> isas() {
  std::vector<std::string> runnable;
  for (const std::string name : {"portable", "avx2", "avx512", "avx512_bf16"}) {
    try {
      make_cpu_backend({.threads = 1, .isa = name});
      runnable.push_back(name);
    } catch (const Error&) {  // this processor lacks it
    }
  }
  return runnable;
}

}  // namespace paligemma::testing
