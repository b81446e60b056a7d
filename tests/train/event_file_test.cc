#include "train/event_file.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "image/encode.h"
#include "support/errors.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

TEST(EventFile, Crc32cOfTheUsualCheck) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283);
  EXPECT_EQ(crc32c(""), 0);
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes)
    for (const int shift : {4, 0}) out += "0123456789abcdef"[static_cast<unsigned char>(byte) >> shift & 15];
  return out;
}

// The same events written by tensorboard 2.21.0: RecordWriter over event_pb2's SerializeToString().
TEST(EventFile, HasTensorBoardsBytes) {
  const Scratch scratch;
  EventFile file(scratch.folder() / "events", 7, 1700000000.5);
  file.add_scalar("train/loss", 300, 1.5, 1700000001.25);
  file.add_scalar("eval/\u00e9", 0, 0, 1700000002);
  const std::string picture("\x89PNG\0\xff", 6);
  file.add_picture("samples/0", std::int64_t{1} << 33, std::as_bytes(std::span(picture)), 200, 2, 1700000003);
  EXPECT_EQ(hex(Scratch::bytes_of(file.path())),
            "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e457665"
            "6e743a322b3531100f000000000000006d532b090900002040fc54d94110073a"
            "0208019beb06a72100000000000000017becf60900005040fc54d94110ac022a"
            "130a110a0a747261696e2f6c6f7373150000c03fdf7a920c1b00000000000000"
            "1a0d9e130900008040fc54d9412a100a0e0a076576616c2fc3a915000000000e"
            "16fe112f000000000000006d5d1d50090000c040fc54d9411080808080202a1e"
            "0a1c0a0973616d706c65732f30220f080210c8011803220689504e4700ff7141"
            "37fa");
}

TEST(EventFile, EachRunHasAFileOfItsOwn) {
  const Scratch scratch;
  const EventFile first(scratch.folder(), 1, 1700000000), second(scratch.folder(), 1, 1700000000);
  EXPECT_NE(first.path(), second.path());
  for (const std::string& name : files_in(scratch.folder()))
    EXPECT_TRUE(name.starts_with("events.out.tfevents.1700000000.")) << name;
}

TEST(EventFile, SaysWhereItCannotWrite) {
  const Scratch scratch;
  const std::string file = scratch.write("file", "");
  expect_error(ErrorKind::failure, "write_failed", file, [&] { EventFile(file, 1, 0); });
}

// Two runs, of which the second resumes at step 61: the first one's numbers from there on are void. With
// PALIGEMMA_KEEP_EVENTS they are left there for tests/interop/events.py.
TEST(EventFile, IsKeptForTensorBoard) {
  const Scratch scratch;
  const char* keep = std::getenv("PALIGEMMA_KEEP_EVENTS");
  const std::filesystem::path folder = keep ? keep : scratch.folder();
  EventFile first(folder, 1, 1700000000);
  for (int step = 1; step <= 100; ++step) first.add_scalar("train/loss", step, 1.0 / step, 1700000000 + step);
  EventFile second(folder, 61, 1700001000);
  for (int step = 61; step <= 300; ++step) second.add_scalar("train/loss", step, 2.0 / step, 1700001000 + step);
  const std::vector<std::byte> picture = encode_gray_png(std::vector<std::uint8_t>{0, 255}, 2, 1);
  second.add_picture("samples/0", 300, picture, 2, 1, 1700001300);
  EXPECT_EQ(files_in(folder).size(), 2);
}

}  // namespace
}  // namespace paligemma::test
