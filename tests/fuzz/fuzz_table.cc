// seeds: data/forms/*.csv
//
// The input is a data set in CSV, and as plain rows under each separator.
#include "data_folder.h"
#include "io/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char separator : {',', ';', '\t'}) {
    try {
      std::size_t bytes = 0, last = 0;
      parse_csv(text, "input", ErrorKind::usage, separator, [&](std::size_t line, std::span<const std::string> fields) {
        data_folder::require(!fields.empty() && line > last);
        last = line;
        for (const std::string& field : fields) bytes += field.size();
      });
      data_folder::require(bytes <= size);
    } catch (const Error& error) {
      data_folder::require(error.code() == "csv");
    }
  }
  data_folder::read(data, size, "data.csv");
  return 0;
}
