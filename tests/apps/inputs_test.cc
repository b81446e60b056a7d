#include "inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "support/scratch.h"

namespace paligemma {
namespace {

using test::Scratch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> expand(const std::vector<std::string>& words) { return expand_inputs(words); }

// Error{usage, code} with `part` in its message.
void expect_usage(const std::vector<std::string>& words, std::string_view code, std::string_view part) {
  try {
    expand_inputs(words);
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(Inputs, FilesStayInTheOrderGiven) {
  const Scratch scratch;
  const std::string a = scratch.write("a.png", ""), b = scratch.write("b", "");
  EXPECT_THAT(expand({b, a, b}), ElementsAre(b, a, b));
}

TEST(Inputs, AFolderGivesItsPicturesSortedByName) {
  const Scratch scratch;
  for (const char* name :
       {"p/z.png", "p/A.JPG", "p/b.webp", "p/c.jpeg", "p/.hidden.png", "p/notes.txt", "p/sub/deep.png"})
    scratch.write(name, "");
  std::filesystem::create_directories(scratch.folder() / "p/folder.png");
  EXPECT_THAT(expand({scratch.path("p")}), ElementsAre(scratch.path("p/A.JPG"), scratch.path("p/b.webp"),
                                                       scratch.path("p/c.jpeg"), scratch.path("p/z.png")));
}

TEST(Inputs, AFolderWithoutPicturesIsRefused) {
  const Scratch scratch;
  scratch.write("p/notes.txt", "");
  expect_usage({scratch.path("p")}, "no_pictures", scratch.path("p"));
}

TEST(Inputs, PatternsAreExpandedAndSorted) {
  const Scratch scratch;
  for (const char* name : {"b1.png", "a1.png", "a2.png", "sub/x.png"}) scratch.write(name, "");
  EXPECT_THAT(expand({scratch.path("a?.png")}), ElementsAre(scratch.path("a1.png"), scratch.path("a2.png")));
  EXPECT_THAT(expand({scratch.path("[ab]1.*")}), ElementsAre(scratch.path("a1.png"), scratch.path("b1.png")));
  EXPECT_THAT(expand({scratch.path("s*")}), ElementsAre(scratch.path("sub/x.png")));  // a folder that matches is one
  expect_usage({scratch.path("c*.png")}, "file_not_found", "c*.png");
}

TEST(Inputs, AFileThatLooksLikeAPatternIsItself) {
  const Scratch scratch;
  const std::string odd = scratch.write("a[1].png", "");
  scratch.write("a1.png", "");
  EXPECT_THAT(expand({odd}), ElementsAre(odd));
}

TEST(Inputs, AListIsRelativeToItself) {
  const Scratch scratch;
  const std::string list = scratch.write("lists/some.txt", "../a.png\r\n\n/abs/b.png\nmissing.png");
  EXPECT_THAT(expand({"@" + list}),
              ElementsAre(scratch.path("lists/../a.png"), "/abs/b.png", scratch.path("lists/missing.png")));
}

TEST(Inputs, ALineOfAListIsNeverStdin) {
  EXPECT_EQ(path_beside("list.txt", "-"), "./-");
  EXPECT_EQ(path_beside("list.txt", "a.png"), "a.png");
  EXPECT_EQ(path_beside("x/list.txt", "-"), "x/-");
  EXPECT_EQ(path_beside("x/list.txt", "/a.png"), "/a.png");
}

TEST(Inputs, AListMustBeThereAndNameSomething) {
  const Scratch scratch;
  expect_usage({"@" + scratch.path("none.txt")}, "file_not_found", "none.txt");
  expect_usage({"@" + scratch.write("empty.txt", "\n \n")}, "no_pictures", "empty.txt");
  expect_usage({"@" + scratch.write("zero.txt", std::string("a\nb\0c\n", 6))}, "list", "line 2");
}

TEST(Inputs, StdinIsGivenOnce) {
  EXPECT_THAT(expand({"-"}), ElementsAre("-"));
  expect_usage({"-", "-"}, "usage", "stdin");
}

TEST(Inputs, WhatIsNotThereIsRefused) {
  expect_usage({"/nowhere/cow.png"}, "file_not_found", "/nowhere/cow.png");
  expect_usage({""}, "file_not_found", "");
}

TEST(ReadBytes, ReadsFilesAndPipesWhole) {
  const Scratch scratch;
  const std::string text(200'000, 'x');
  EXPECT_EQ(read_bytes(scratch.write("big", text), "read", ErrorKind::usage).size(), text.size());
  EXPECT_TRUE(read_bytes(scratch.write("empty", ""), "read", ErrorKind::usage).empty());

  const std::string fifo = scratch.path("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const pid_t writer = fork();
  if (writer == 0) {
    FILE* out = std::fopen(fifo.c_str(), "wb");
    std::fwrite(text.data(), 1, text.size(), out);
    std::fclose(out);
    _exit(0);
  }
  EXPECT_EQ(read_bytes(fifo, "read", ErrorKind::usage).size(), text.size());
}

TEST(ReadBytes, SaysWhatItCouldNotRead) {
  const Scratch scratch;
  try {
    read_bytes(scratch.path("none"), "cannot read the requests", ErrorKind::usage);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "file_not_found");
    EXPECT_THAT(error.what(), ::testing::StartsWith("cannot read the requests: " + scratch.path("none")));
  }
  EXPECT_THROW(read_bytes(scratch.folder().string(), "read", ErrorKind::usage),
               Error);  // a folder opens, but is no file
}

TEST(ReadBytes, RefusesAHugeFileBeforeReadingIt) {
  const Scratch scratch;
  const std::string file = scratch.write("sparse", "");
  std::filesystem::resize_file(file, (std::uintmax_t{1} << 30) + 1);
  try {
    read_bytes(file, "read", ErrorKind::usage);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 GiB"));
  }
}

// Small pictures in files that are gone after the first time.
TEST(PictureReader, KeepsWhatIsWanted) {
  const Scratch scratch;
  const std::string file = scratch.write("a.ppm", "P6 1 1 255 abc"), other = scratch.write("b.ppm", "P6 1 1 255 def");
  PictureReader reader({});
  for (const std::string* path : {&file, &other, &file}) reader.want(*path);
  const SharedPicture first = reader.read(file);
  std::filesystem::remove(file);
  EXPECT_EQ(reader.read(other)->rgb[0], 'd');
  EXPECT_EQ(reader.read(file).pointer(), first.pointer());
  EXPECT_THROW(reader.read(file), Error);  // it was wanted twice
}

TEST(PictureReader, KeepsErrorsToo) {
  const Scratch scratch;
  const std::string file = scratch.path("later.ppm");
  PictureReader reader({});
  reader.want(file), reader.want(file);
  EXPECT_THROW(reader.read(file), Error);
  scratch.write("later.ppm", "P6 1 1 255 abc");
  EXPECT_THROW(reader.read(file), Error);
  EXPECT_EQ(reader.read(file)->width, 1);
}

TEST(PictureReader, KeepsNoMoreThanThereIsRoomFor) {
  const Scratch scratch;
  constexpr int kSide = 6000;  // more than half of the room
  const std::string pixels(3 * std::size_t{kSide} * kSide / 2, 'x');
  const std::string header = "P6 6000 3000 255 ";
  const std::string file = scratch.write("a.ppm", header + pixels), other = scratch.write("b.ppm", header + pixels);
  PictureReader reader({});
  for (const std::string* path : {&file, &other, &file, &other}) reader.want(*path);
  const std::weak_ptr<const Picture> first = reader.read(file).pointer(), second = reader.read(other).pointer();
  EXPECT_TRUE(first.expired() && second.expired());
  EXPECT_EQ(reader.read(file)->width, kSide);
}

TEST(Lines, AreNumberedWithTheBlankOnes) {
  const std::string text = "one\n\n \t\r\nfour\r\nfive";
  std::vector<std::pair<int, std::string>> lines;
  for_each_line(std::as_bytes(std::span(text)),
                [&](int number, std::string_view line) { lines.emplace_back(number, line); });
  EXPECT_THAT(lines, ElementsAre(std::pair(1, "one"), std::pair(4, "four"), std::pair(5, "five")));
}

}  // namespace
}  // namespace paligemma
