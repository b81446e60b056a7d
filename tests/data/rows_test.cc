#include "folder.h"
#include "support/errors.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Rows, OfBigVisionAreTextAsItStands) {
  const DataFolder folder;
  folder.picture("1.png"), folder.picture("2.png");
  folder.write("train.jsonl", R"({"image": "1.png", "prefix": "caption en", "suffix": "a cow"}
{"image": "2.png", "prefix": "<image>answer en how many?", "suffix": 3, "id": 7, "weight": 0.5}
{"image": "2.png", "suffix": ["a dog", "one dog"]}

)");
  const Dataset data = folder.open();
  EXPECT_EQ(data.form, "rows in JSON");
  EXPECT_THAT(ids(data), ElementsAre("1.png", "7", "2.png"));
  EXPECT_EQ(data.samples[0].prefix, "caption en");
  EXPECT_THAT(data.samples[0].answers, ElementsAre("a cow"));
  EXPECT_EQ(data.samples[0].task, SampleTask::text);
  EXPECT_EQ(data.samples[0].split, Split::train);
  EXPECT_EQ(data.samples[0].picture.path, folder.folder() / "1.png");
  EXPECT_EQ(data.samples[1].prefix, "answer en how many?");
  EXPECT_THAT(data.samples[1].answers, ElementsAre("3"));
  EXPECT_EQ(data.samples[1].weight, 0.5);
  EXPECT_EQ(data.samples[2].prefix, "caption en");  // of DatasetOptions
  EXPECT_THAT(data.samples[2].answers, ElementsAre("a dog", "one dog"));
  EXPECT_THAT(codes(data), IsEmpty());
}

// Both layouts of Roboflow's exports.
TEST(Rows, OfRoboflowHaveObjects) {
  for (const std::string name : {"dataset/_annotations.valid.jsonl", "valid/annotations.jsonl"}) {
    const DataFolder folder;
    folder.picture("dataset/a.png"), folder.picture("valid/a.png");
    folder.write(
        name, R"({"image":"a.png","prefix":"detect cow ; toy-dog 2",)"
              R"("suffix":"<loc0000><loc0100><loc1023><loc0200> cow ; <loc0001><loc0002><loc0003><loc0004> toy-dog 2"})"
              "\n");
    const Dataset data = folder.open();
    ASSERT_EQ(data.samples.size(), 1u);
    const Sample& sample = data.samples[0];
    EXPECT_EQ(sample.split, Split::validation);
    EXPECT_EQ(sample.task, SampleTask::detect);
    EXPECT_EQ(sample.prefix, "detect cow ; toy-dog 2");
    EXPECT_EQ(sample.unit, Unit::shares);
    ASSERT_EQ(sample.objects.size(), 2u);
    EXPECT_EQ(sample.objects[0].box, (std::array{100 / 1023.0, 0 / 1023.0, 200 / 1023.0, 1.0}));
    EXPECT_THAT(data.classes, ElementsAre("cow", "toy-dog 2"));
    EXPECT_THAT(sample.answers, IsEmpty());
  }
}

TEST(Rows, WithMaskCodesAreSegments) {
  const DataFolder folder;
  folder.picture("a.png");
  std::string suffix = "<loc0000><loc0100><loc1023><loc0200>";
  for (int i = 0; i < 16; ++i) suffix += "<seg0" + std::to_string(10 + i) + ">";
  folder.write("a.jsonl", R"({"image":"a.png","prefix":"segment cow","suffix":")" + suffix + " cow\"}");
  const Dataset data = folder.open();
  EXPECT_EQ(data.samples[0].task, SampleTask::segment);
  ASSERT_TRUE(data.samples[0].objects[0].seg.has_value());
  EXPECT_EQ((*data.samples[0].objects[0].seg)[15], 25);
}

TEST(Rows, WhoseTokensAreWrittenOtherwiseStayText) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("a.jsonl", R"({"image":"a.png","prefix":"detect cow","suffix":"<loc0001><loc0002><loc0003><loc0004>cow"}
{"image":"a.png","prefix":"find","suffix":"cow at <loc0001><loc0002><loc0003><loc0004>"}
{"image":"a.png","prefix":"detect cow","suffix":""}
)");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 3u);
  EXPECT_EQ(data.samples[0].task, SampleTask::text);
  EXPECT_THAT(data.samples[0].answers, ElementsAre("<loc0001><loc0002><loc0003><loc0004>cow"));
  EXPECT_EQ(data.samples[0].objects.size(), 1u);
  EXPECT_EQ(data.samples[1].task, SampleTask::text);
  EXPECT_THAT(data.samples[2].answers, ElementsAre(""));
  ASSERT_THAT(codes(data), ElementsAre("suffix_text"));
  EXPECT_EQ(data.problems[0].where, "a.jsonl:2");
  EXPECT_THAT(data.problems[0].text, HasSubstr("stray_text"));
}

TEST(Rows, OfImageFoldersAreWhatTheirColumnsSay) {
  const DataFolder folder;
  for (const char* name : {"train/a.png", "train/b.png", "test/c.png"}) folder.picture(name);
  folder.write("train/metadata.jsonl",
               R"({"file_name":"a.png","objects":{"bbox":[[1,1,4,2],[0,0,2,2]],"categories":["cow","dog"]}}
{"file_name":"b.png","objects":{"bbox":[],"categories":[]}}
)");
  folder.write("test/metadata.jsonl", R"({"file_name":"c.png","objects":{"bbox":[[1,1,4,2]],"category":["dog"]}})");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 3u);
  EXPECT_EQ(count_of(data, Split::train), 2u);
  EXPECT_EQ(count_of(data, Split::test), 1u);
  EXPECT_THAT(boxes(data.samples[1]), ElementsAre("cow 1 1 5 3", "dog 0 0 2 2"));
  EXPECT_EQ(data.samples[1].task, SampleTask::detect);
  EXPECT_THAT(boxes(data.samples[2]), IsEmpty());
  EXPECT_THAT(summary(data, "list.txt"), HasSubstr("3 pictures, 2 classes, 1 without boxes\n"));
}

TEST(Rows, WhoseClassesAreNumbersNeedTheirNames) {
  const std::string row = R"({"file_name":"a.png","objects":{"bbox":[[1,1,4,2],[0,0,2,2]],"category":[1,2]}})";
  const std::pair<const char*, const char*> kNames[] = {
      {"classes.txt", "cow\ndog\r\n"},
      {"README.md",
       "---\nlicense: mit\ndataset_info:\n  features:\n  - name: objects\n    sequence:\n    - name: category\n"
       "      dtype:\n        class_label:\n          names:\n            '0': cow\n            '1': dog\n---\n# "
       "Cows\n"}};
  for (const auto& [file, text] : kNames) {
    const DataFolder folder;
    folder.picture("a.png");
    folder.write("metadata.jsonl", row), folder.write(file, text);
    const Dataset data = folder.open();
    EXPECT_THAT(boxes(data.samples[0]), ElementsAre("dog 1 1 5 3"));
    ASSERT_THAT(codes(data), ElementsAre("unknown_class"));
    EXPECT_EQ(data.problems[0].text, "expected a class, or a number that classes.txt or README.md names, got 2");
  }
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("metadata.jsonl", row), folder.write("README.md", "---\na: [\n---\n");
  expect_error(ErrorKind::usage, "data_no_objects", "the first problem: metadata.jsonl:1: unknown_class",
               [&] { folder.open(); });
}

TEST(Rows, OfMetadataInCsvAreRead) {
  const DataFolder folder;
  folder.picture("a.png"), folder.picture("b.png");
  folder.write("metadata.csv", "file_name,text\na.png,\"a cow, \"\"Bella\"\"\"\nb.png,two\nb.png\n");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 2u);
  EXPECT_EQ(data.samples[0].task, SampleTask::caption);
  EXPECT_THAT(data.samples[0].answers, ElementsAre("a cow, \"Bella\""));
  ASSERT_THAT(codes(data), ElementsAre("bad_row"));
  EXPECT_EQ(data.problems[0].text, "expected 2 fields, got 1");
  EXPECT_EQ(data.problems[0].where, "metadata.csv:4");
}

TEST(Rows, OfCsvHavePrefixAndSuffix) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("data.csv", "Image;Prefix;Suffix;weight\r\na.png;ocr;\"one;\ntwo\";2\r\na.png;ocr;;\r\n");
  const Dataset data = folder.open("data.csv");
  ASSERT_EQ(data.samples.size(), 1u);
  EXPECT_EQ(data.samples[0].prefix, "ocr");
  EXPECT_THAT(data.samples[0].answers, ElementsAre("one;\ntwo"));
  EXPECT_EQ(data.samples[0].weight, 2);
  EXPECT_THAT(codes(data), ElementsAre("empty_answer"));
}

TEST(Rows, OfTextVqaAndDocVqaAreQuestions) {
  const DataFolder folder;
  folder.picture("train_images/0054c91397f2fe05.png"), folder.picture("documents/x_1.png");
  folder.write("TextVQA_val.json", R"({"dataset_type":"val","dataset_name":"textvqa","data":[
    {"question":"what brand?","image_id":"0054c91397f2fe05","question_id":0,"set_name":"val",
     "answers":["nokia","nokia","toshiba"]},
    {"questionId":5,"question":"what year?","image":"documents/x_1.png","data_split":"train","answers":["1999"]}]})");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 2u);
  EXPECT_EQ(data.samples[0].task, SampleTask::answer);
  EXPECT_EQ(data.samples[0].prefix, "what brand?");
  EXPECT_THAT(data.samples[0].answers, ElementsAre("nokia", "nokia", "toshiba"));
  EXPECT_EQ(data.samples[0].source_id, "0");
  EXPECT_EQ(data.samples[0].split, Split::validation);
  EXPECT_EQ(data.samples[1].id, "5");
  EXPECT_EQ(data.samples[1].split, Split::train);
}

TEST(Rows, OfConversationsAreSamplesTurnByTurn) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("llava.json", R"([{"id":"1","image":"a.png","conversations":[
    {"from":"human","value":"<image>\nWhat is it?"},{"from":"gpt","value":"A cow."},
    {"from":"human","value":"Where?"},{"from":"gpt","value":"Left."}]},
    {"id":"2","conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello"}]},
    {"image":"a.png","conversations":[{"from":"gpt","value":"Hello"}]}])");
  const Dataset data = folder.open();
  EXPECT_THAT(ids(data), ElementsAre("a.png", "a.png#2"));
  EXPECT_EQ(data.samples[0].prefix, "What is it?");
  EXPECT_THAT(data.samples[0].answers, ElementsAre("A cow."));
  EXPECT_EQ(data.samples[1].prefix, "Where?");
  EXPECT_THAT(codes(data), ElementsAre("bad_row", "bad_row"));
}

TEST(Rows, OfMessagesAreConversations) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("chat.jsonl", R"({"images":["a.png"],"messages":[{"role":"system","content":"Be brief."},)"
                             R"({"role":"user","content":[{"type":"image"},{"type":"text","text":"What?"}]},)"
                             R"({"role":"assistant","content":"A cow."}]})");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 1u);
  EXPECT_EQ(data.samples[0].prefix, "What?");
  EXPECT_THAT(data.samples[0].answers, ElementsAre("A cow."));
}

TEST(Rows, ThatAreDamagedAreListed) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("a.jsonl", R"({"image":"a.png","prefix":"x","suffix":"y"}
{"image":"a.png","prefix":"x"
[1]
{"prefix":"x","suffix":"y"}
{"image":"a.png","prefix":"x"}
{"image":"a.png","suffix":"y","weight":-1}
{"image":"http://a/b.png","suffix":"y"}
{"image":"gone.png","suffix":"y"}
{"image":"a.png","prefix":"x","suffix":"  "}
{"image":"a.png","objects":{"bbox":[[1,1,4]],"categories":["cow"]}}
)");
  const Dataset data = folder.open();
  EXPECT_THAT(codes(data), ElementsAre("bad_row", "bad_row", "bad_row", "empty_answer", "bad_row", "picture_url",
                                       "picture_missing", "box_empty", "empty_answer"));
  EXPECT_EQ(data.samples.size(), 2u);
  EXPECT_EQ(data.problems[0].where, "a.jsonl:2");
  EXPECT_EQ(data.problems[6].text, "expected the picture gone.png, got none");
}

}  // namespace
}  // namespace paligemma::test
