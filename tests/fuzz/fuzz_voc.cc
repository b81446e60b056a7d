// seeds: data/forms/*.xml
//
// The input is a document of VOC.
#include "data_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  data_folder::read(data, size, "a.xml");
  return 0;
}
