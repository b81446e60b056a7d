// seeds: tiny/model.keras io/deflated.keras
//
// Any bytes as a .keras file, stored or deflated: opened, and each array read. A file, since it is opened by its name.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "model.h"
#include "model/model_files.h"
#include "zip_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("fuzz-" + std::to_string(::getpid()) + ".keras");
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), std::streamsize(size));
  try {
    const paligemma::ModelFiles files = paligemma::open_model_files(path);
    read_tensors(files.source, files.config);
  } catch (const paligemma::Error&) {
  }
  std::filesystem::remove(path);
  return 0;
}
