#include "io/file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

#include "contents.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string name = testing::TempDir() + "paligemma-file-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~FileTest() override { fs::remove_all(folder_); }

  std::string content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t files() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FileTest, MapsWhatWasWritten) {
  write_file(folder_ / "a", as_bytes("hello"), false);
  FileBytes file = FileBytes::map(folder_ / "a", ErrorKind::input);
  EXPECT_EQ(file.text(), "hello");
  FileBytes moved = std::move(file);
  EXPECT_EQ(moved.text(), "hello");
  EXPECT_TRUE(file.bytes().empty());
  file = std::move(moved);
  EXPECT_EQ(file.text(), "hello");
}

TEST_F(FileTest, EmptyFileIsAllowed) {
  write_file(folder_ / "a", {}, false);
  EXPECT_TRUE(FileBytes::map(folder_ / "a", ErrorKind::input).bytes().empty());
}

TEST_F(FileTest, ReleasedPagesCanBeReadAgain) {
  const std::string text(100'000, 'x');
  write_file(folder_ / "a", as_bytes(text), false);
  const FileBytes file = FileBytes::map(folder_ / "a", ErrorKind::input);
  file.release(file.bytes().subspan(5, 50'000));
  file.release(file.bytes().subspan(5, 10));
  file.release(file.bytes());
  EXPECT_EQ(file.text(), text);
  FileBytes::borrow(as_bytes(text)).release(as_bytes(text));
  EXPECT_EQ(text, std::string(100'000, 'x'));
}

TEST_F(FileTest, WhatIsReadStaysWhenTheFileIsCut) {
  const std::string text(100'000, 'x');
  write_file(folder_ / "a", as_bytes(text), false);
  FileBytes file = FileBytes::read(folder_ / "a", ErrorKind::input, text.size());
  fs::resize_file(folder_ / "a", 10);
  const FileBytes moved = std::move(file);
  EXPECT_EQ(moved.text(), text);
  EXPECT_TRUE(file.bytes().empty());
  EXPECT_EQ(FileBytes::read(folder_ / "a", ErrorKind::input, 10).text(), "xxxxxxxxxx");
  expect_error(ErrorKind::input, "file_too_large", "at most 9 bytes, got 10",
               [&] { FileBytes::read(folder_ / "a", ErrorKind::input, 9); });
}

TEST_F(FileTest, SaysWhyItCannotBeRead) {
  expect_error(ErrorKind::input, "file_not_found", "nothing",
               [&] { FileBytes::map(folder_ / "nothing", ErrorKind::input); });
  expect_error(ErrorKind::model, "file_unreadable", "a folder", [&] { FileBytes::map(folder_, ErrorKind::model); });
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  expect_error(ErrorKind::input, "file_unreadable", "pipe",
               [&] { FileBytes::map(folder_ / "pipe", ErrorKind::input); });
  if (::geteuid() == 0) return;  // may read everything
  write_file(folder_ / "secret", as_bytes("x"), false);
  fs::permissions(folder_ / "secret", fs::perms::none);
  expect_error(ErrorKind::input, "file_unreadable", "secret",
               [&] { FileBytes::map(folder_ / "secret", ErrorKind::input); });
}

TEST_F(FileTest, FolderGivesItsFilesAndNoOthers) {
  fs::create_directory(folder_ / "model");
  write_file(folder_ / "outside", as_bytes("x"), false);
  write_file(folder_ / "model" / "config.json", as_bytes("{}"), false);
  const Folder folder = Folder::on_disk(folder_ / "model", ErrorKind::model);
  EXPECT_EQ(folder.name, (folder_ / "model").native());
  EXPECT_TRUE(folder.has("config.json"));
  EXPECT_EQ(folder.open("config.json").text(), "{}");
  for (const char* name : {"other", "../outside", "..", ".", ""}) {
    EXPECT_FALSE(folder.has(name)) << name;
    expect_error(ErrorKind::model, "file_not_found", name, [&] { folder.open(name); });
  }
  expect_error(ErrorKind::model, "file_not_found", "none",
               [&] { Folder::on_disk(folder_ / "none", ErrorKind::model); });
  expect_error(ErrorKind::model, "not_a_folder", "outside",
               [&] { Folder::on_disk(folder_ / "outside", ErrorKind::model); });
}

TEST(Folder, InMemory) {
  const EmbeddedFile files[] = {{"a", as_bytes("one")}, {"pictures/b", as_bytes("two")}};
  const Folder folder = Folder::in_memory(files, "the sample", ErrorKind::model);
  EXPECT_EQ(folder.name, "the sample");
  EXPECT_TRUE(folder.has("a"));
  EXPECT_FALSE(folder.has("b"));
  EXPECT_EQ(folder.open("pictures/b").text(), "two");
  expect_error(ErrorKind::model, "file_not_found", "the sample has no file b", [&] { folder.open("b"); });
}

TEST_F(FileTest, OverwritesOnlyWhenTold) {
  write_file(folder_ / "a", as_bytes("one"), false);
  expect_error(ErrorKind::usage, "file_exists", "there is a file already",
               [&] { write_file(folder_ / "a", as_bytes("two"), false); });
  EXPECT_EQ(content(folder_ / "a"), "one");
  write_file(folder_ / "a", as_bytes("three"), true);
  EXPECT_EQ(content(folder_ / "a"), "three");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, PermissionsFollowTheUmask) {
  const mode_t before = ::umask(027);
  write_file(folder_ / "a", as_bytes("x"), false);
  ::umask(before);
  EXPECT_EQ(fs::status(folder_ / "a").permissions(), fs::perms(0640));
}

TEST_F(FileTest, WritesThroughALinkAndNotOverADevice) {
  write_file(folder_ / "a", as_bytes("one"), false);
  fs::create_symlink("a", folder_ / "link");
  write_file(folder_ / "link", as_bytes("two"), true);
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(content(folder_ / "a"), "two");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  expect_error(ErrorKind::failure, "write_failed", "regular file",
               [&] { write_file(folder_ / "pipe", as_bytes("x"), true); });
  expect_error(ErrorKind::failure, "write_failed", "a folder", [&] { write_file(folder_, as_bytes("x"), true); });
}

TEST_F(FileTest, LeavesNothingBehindWhenItFails) {
  expect_error(ErrorKind::failure, "write_failed", "none",
               [&] { write_file(folder_ / "none" / "a", as_bytes("x"), true); });
  write_file(folder_ / "a", as_bytes("one"), false);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  expect_error(ErrorKind::failure, "write_failed", "too large",
               [&] { write_file(folder_ / "a", as_bytes(std::string(5000, 'x')), true); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(content(folder_ / "a"), "one");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace paligemma
