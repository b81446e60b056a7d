// seeds: data/*.p data/pickles/*.pickle
//
// The input is a pickle, and RefCOCO's.
#include "data/pickle.h"
#include "data_folder.h"
#include "io/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  constexpr const char* kInstances =
      R"({"images":[{"id":1,"file_name":"a.png","width":8,"height":4}],"categories":[{"id":3,"name":"cow"}],)"
      R"("annotations":[{"id":11,"image_id":1,"category_id":3,"bbox":[1,1,4,2],"segmentation":[[1,1,5,1,5,3,1,3]]}]})";
  try {
    const std::string text = dump_json(parse_pickle(std::as_bytes(std::span(data, size)), "input", ErrorKind::usage));
    data_folder::require(text.size() <= (std::size_t{1} << 22) + 64 * 8 * size);
  } catch (const Error& error) {
    data_folder::require(error.code() == "pickle");
  }
  data_folder::read(data, size, "refs.p", {{"instances.json", kInstances}});
  return 0;
}
