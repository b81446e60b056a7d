// seeds: apps/requests.jsonl geometry/parse.jsonl
//
// The input is the file of --requests, and a list of pictures (@list).
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "inputs.h"
#include "json_mutator.h"
#include "requests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  static const int file = memfd_create("input", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  try {
    for (const Job& job : read_requests(path, {})) {
      if (job.pictures.empty() || job.request.task != Task::run) __builtin_trap();
      for (const std::string& picture : job.pictures)
        if (picture.find('\0') != picture.npos) __builtin_trap();
    }
    json_mutator::take(data, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) __builtin_trap();
  }
  try {
    const std::string words[] = {"@" + path};
    for (const std::string& picture : expand_inputs(words))
      if (picture.empty() || picture == "-" || picture.find('\0') != picture.npos) __builtin_trap();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) __builtin_trap();
  }
  return 0;
}
