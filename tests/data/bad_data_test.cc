// What is refused as a whole, each with its message; and what all forms are checked for.
#include "folder.h"
#include "io/json.h"
#include "support/errors.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void expect_data_refused(const DataFolder& folder, std::string_view code, std::string_view part,
                         std::string_view name = "", const DatasetOptions& options = {}) {
  expect_error(ErrorKind::usage, code, part, [&] { folder.open(name, options); });
}

TEST(BadData, ThatIsNotThere) {
  const DataFolder folder;
  expect_data_refused(folder, "data_not_found", "gone: expected a file or a folder, got No such file", "gone");
}

TEST(BadData, OfNoForm) {
  const DataFolder folder;
  expect_data_refused(folder, "data_unknown", "got 0 files, 0 of them pictures");
  folder.picture("a.png");
  folder.write("notes.json", R"({"a":1})"), folder.write("notes.txt", "x"),
      folder.write(".hidden.jsonl", "{\"suffix\":1}");
  expect_data_refused(folder, "data_unknown", "got 3 files, 1 of them pictures");
  expect_data_refused(folder, "data_unknown", "notes.json: expected a known form, got something else", "notes.json");
}

TEST(BadData, OfSeveralForms) {
  const DataFolder folder;
  folder.write("a/rows.jsonl", R"({"image":"a.png","suffix":"x"})"), folder.write("b/a.xml", "<annotation/>");
  expect_data_refused(folder, "data_unknown",
                      "expected one form, got rows in JSON (a/rows.jsonl), VOC (b/a.xml). Try: the file");
}

TEST(BadData, ThatIsEmpty) {
  const DataFolder folder;
  folder.write("a.jsonl", "");
  expect_data_refused(folder, "data_empty", "a.jsonl: expected samples, got an empty file", "a.jsonl");
  folder.write("b.jsonl", R"({"image":"gone.png","suffix":"x"})");
  expect_data_refused(folder, "data_empty",
                      "got none and 1 problems, the first: b.jsonl:1: picture_missing: expected the picture gone.png",
                      "b.jsonl");
  folder.write("c.json", R"({"images":[],"categories":[{"id":1,"name":"a"}],"annotations":[{"category_id":1}]})");
  expect_data_refused(folder, "data_empty", "expected samples, got none and 1 problems", "c.json");
}

TEST(BadData, OfDamagedFiles) {
  const DataFolder folder;
  folder.write(
      "coco.json",
      R"({"images":[{"id":1,"file_name":"a.png"}],"categories":[{"id":1,"name":"a"}],"annotations":[{"id":1})");
  expect_data_refused(folder, "json", "coco.json: parse error", "coco.json");
  folder.write("a.csv", "image,suffix\n\"a");
  expect_data_refused(folder, "csv", "a.csv: line 2", "a.csv");
  folder.write("a.xml", "<annotation>");
  expect_data_refused(folder, "xml", "a.xml: line 1", "a.xml");
  folder.write("data.yaml", "names: [a\n");
  expect_data_refused(folder, "yaml", "data.yaml: line", "data.yaml");
  folder.write("names.yaml", "train: x\n");
  expect_data_refused(folder, "data_unknown", "names: expected a list, or a map from 0 on, got none", "names.yaml");
  folder.write("refs.p", "cos\nsystem\n.");
  expect_data_refused(folder, "data_unknown", "expected instances.json beside it", "refs.p");
  folder.write("instances.json", R"({"annotations":[{"category_id":1}]})");
  std::filesystem::remove(folder.path("coco.json"));
  expect_data_refused(folder, "pickle", "refs.p: byte 0: expected plain data", "refs.p");
}

TEST(BadData, OfParquetSaysHowToConvertIt) {
  const DataFolder folder;
  folder.write("data/train-00000-of-00001.parquet", "PAR1");
  expect_data_refused(folder, "data_parquet", "pip install pyarrow, then python3 -c");
  expect_data_refused(folder, "data_parquet", "train-00000-of-00001.parquet", "data/train-00000-of-00001.parquet");
}

TEST(BadData, WithoutSuffixes) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("a.jsonl", R"({"image":"a.png","prefix":"x"}
{"image":"a.png","prefix":"x","suffix":""}
)");
  expect_data_refused(folder, "data_no_suffix",
                      "expected a suffix, an answer, a caption or objects for each picture, got none in 2 rows");
}

TEST(BadData, WithoutMasks) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("a.jsonl", R"({"image":"a.png","objects":{"bbox":[[1,1,2,2]],"categories":["a"]}})");
  expect_data_refused(folder, "data_no_masks", "got 1 boxes alone", "", {.task = SampleTask::segment});
}

TEST(BadData, WhoseClassesCannotBeAskedFor) {
  for (const char* name : {"a ; b", "<loc0001>", "x\ny"}) {
    const DataFolder folder;
    folder.picture("a.png");
    folder.write("a.jsonl", join(R"({"image":"a.png","objects":{"bbox":[[1,1,2,2]],"categories":[)",
                                 dump_json(std::string(name)), "]}}"));
    expect_data_refused(folder, "bad_class", "Try: give the class another name");
  }
}

TEST(Checks, EachIdIsThereOnce) {
  const DataFolder folder;
  folder.picture("a.png"), folder.picture("b.png");
  folder.write("a.jsonl", R"({"id":"a.png","image":"b.png","suffix":"x"}
{"id":1,"image":"a.png","suffix":"y"}
{"id":"1","image":"b.png","suffix":"z"}
{"image":"a.png","suffix":"u"}
)");
  const Dataset data = folder.open();
  EXPECT_THAT(ids(data), ElementsAre("a.png", "1", "a.png#2"));
  ASSERT_THAT(codes(data), ElementsAre("duplicate_id"));
  EXPECT_EQ(data.problems[0].text, "expected each id once, got 1 again");
}

TEST(Checks, PicturesBeginLikeOne) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("b.png", "no picture"), folder.write("c.png", "");
  folder.write("a.jsonl", R"({"image":"a.png","suffix":"x"}
{"image":"b.png","suffix":"x"}
{"image":"b.png","suffix":"y"}
{"image":"c.png","suffix":"x"}
{"image":"d.png","suffix":"x"}
{"image":"d.png","suffix":"y"}
)");
  const Dataset data = folder.open();
  EXPECT_THAT(ids(data), ElementsAre("a.png"));
  EXPECT_THAT(codes(data),
              ElementsAre("picture_missing", "picture_missing", "picture_unreadable", "picture_unreadable"));
  EXPECT_EQ(summary(data, "runs/x/problems.txt"),
            "1 picture, 3 unreadable: listed in runs/x/problems.txt\nrows in JSON: 1 sample\n");
  EXPECT_THAT(problems_text(data),
              HasSubstr("picture_unreadable\tb.png\texpected PNG, JPEG, WebP, GIF, BMP or PPM, got something else\n"));
  EXPECT_EQ(folder.open("", {.check_pictures = false}).samples.size(), 4u);
}

TEST(Checks, PicturesAreFoundWhereTheyLie) {
  const DataFolder folder, elsewhere;
  folder.picture("deep/down/a.png"), folder.picture("x/b.png"), folder.picture("y/b.png"), elsewhere.picture("c.png");
  const std::string absolute = elsewhere.picture("d.png");
  folder.write("a.jsonl", R"({"image":"a.png","suffix":"x"}
{"image":"b.png","suffix":"x"}
{"image":"..\\y\\b.png","suffix":"x"}
{"image":"c.png","suffix":"x"}
{"image":")" + absolute + R"(","suffix":"x"}
)");
  const Dataset data = folder.open("", {.pictures = elsewhere.folder()});
  ASSERT_EQ(data.samples.size(), 4u);
  EXPECT_EQ(data.samples[0].picture.path, folder.folder() / "deep/down/a.png");
  EXPECT_EQ(data.samples[1].picture.path, folder.folder() / "y/b.png");
  EXPECT_EQ(data.samples[2].picture.path, elsewhere.folder() / "c.png");
  EXPECT_EQ(data.samples[3].picture.path, absolute);
  EXPECT_THAT(codes(data), ElementsAre("picture_ambiguous"));
}

}  // namespace
}  // namespace paligemma::test
