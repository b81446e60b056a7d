// Checkpoints whose weights are no numbers: whatever the model then says, it ends, and can be printed.
#include <gtest/gtest.h>
#include <paligemma/paligemma.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "io/json.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

class WeightsThatAreNoNumbers : public ::testing::Test {
 protected:
  WeightsThatAreNoNumbers() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const char* name :
         {"config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors", "mask_codec.safetensors"})
      fs::copy_file(fs::path(POCKET_DIR) / name, folder_ / name);
  }
  ~WeightsThatAreNoNumbers() override { fs::remove_all(folder_); }

  // Fills the data of the weights from `first` to `last`, as parts of the whole, with this byte.
  void fill(double first, double last, char byte) const {
    const fs::path path = folder_ / "model.safetensors";
    const auto size = static_cast<double>(fs::file_size(path));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::uint64_t header = 0;
    file.read(reinterpret_cast<char*>(&header), 8);
    const double data = size - 8 - static_cast<double>(header);
    const auto begin = static_cast<std::size_t>(first * data), end = static_cast<std::size_t>(last * data);
    file.seekp(static_cast<std::streamoff>(8 + header + begin));
    file << std::string(end - begin, byte);
  }

  fs::path folder_ = fs::temp_directory_path() / ("paligemma_pipeline_" + std::to_string(::getpid()));
};

TEST_F(WeightsThatAreNoNumbers, EndInAnAnswer) {
  const fs::path beach = fs::path(POCKET_DIR) / "pictures" / "beach.png";
  const Picture pixels = read_picture(beach);
  for (const auto& [first, last, byte] :
       {std::tuple(0.9, 1.0, '\xff'), std::tuple(0.5, 0.6, '\x7f'), std::tuple(0.0, 0.1, '\xff'),
        std::tuple(0.0, 1.0, '\xff'), std::tuple(0.0, 1.0, '\0')}) {
    fill(first, last, byte);
    Model model = Model::open(folder_, {.threads = 2});
    const std::string path = beach.string();
    const Request caption{.task = Task::caption, .pictures = {{path, pixels}}, .max_tokens = 40, .logprobs = true};
    const Request segment{.task = Task::segment, .pictures = {{path, pixels}}, .labels = {"cow"}, .max_tokens = 40};
    for (const Request& request : {caption, segment}) {
      const Result result = model.answer(request);
      EXPECT_LE(result.generated_tokens, 41);
      EXPECT_NO_THROW(parse_json(to_json(result), "result", ErrorKind::failure));
    }
  }
}

}  // namespace
}  // namespace paligemma
