// Models used from several threads at once, as the header of the library allows: distinct models at the same time, one
// model by turns.
#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace paligemma {
namespace {

const std::filesystem::path kBeach = POCKET_DIR "/pictures/beach.png";

// An answer in short; a wrong one when anything is thrown, which must not leave a thread.
std::string caption(Model& model) {
  try {
    const Request request{.task = Task::caption, .pictures = {{kBeach.string(), read_picture(kBeach)}}};
    return model.answer(request).text;
  } catch (const std::exception& error) {
    return error.what();
  }
}

constexpr const char* kCaption = "a cow, a lion and a sign on the beach";

TEST(Threads, DistinctModelsAtOnce) {
  std::vector<std::string> answers(3);
  std::vector<std::thread> threads;
  for (std::string& answer : answers)
    threads.emplace_back([&answer] {
      Model model = Model::embedded({.threads = 2});
      answer = caption(model) + "|" + caption(model);
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& answer : answers) EXPECT_EQ(answer, join(kCaption, '|', kCaption));
}

TEST(Threads, OneModelByTurns) {
  Model model = Model::embedded({.threads = 2});
  std::mutex turn;
  std::vector<std::string> answers(6);
  std::vector<std::thread> threads;
  for (std::string& answer : answers)
    threads.emplace_back([&] {
      const std::lock_guard lock(turn);
      answer = caption(model);
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& answer : answers) EXPECT_EQ(answer, kCaption);
}

// What needs no model has no state that threads could share.
TEST(Threads, PicturesAndErrorsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> widths(8), errors(8);
  for (std::size_t t = 0; t < widths.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        widths[t] += read_picture(kBeach).width;
        try {
          read_picture("/nothing/here");
        } catch (const Error& error) {
          errors[t] += error.kind() == ErrorKind::input;
        }
        try {
          Model::open(POCKET_DIR "/pictures");
        } catch (const Error& error) {
          errors[t] += error.kind() == ErrorKind::model;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  const int width = read_picture(kBeach).width;
  for (const int sum : widths) EXPECT_EQ(sum, 5 * width);
  for (const int sum : errors) EXPECT_EQ(sum, 10);
}

}  // namespace
}  // namespace paligemma
