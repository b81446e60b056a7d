// VQAv2, GQA, RefCOCO and folders of classes.
#include <algorithm>

#include "folder.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void write_vqa(const DataFolder& folder) {
  folder.picture("val2014/COCO_val2014_000000262148.png");
  folder.write("v2_OpenEnded_mscoco_val2014_questions.json",
               R"({"info":{},"data_type":"mscoco","data_subtype":"val2014",
    "questions":[{"image_id":262148,"question":"Where is he?","question_id":262148000},
                 {"image_id":262148,"question":"Why?","question_id":262148001},
                 {"image_id":262149,"question":"Who?","question_id":262149000}]})");
  folder.write("v2_mscoco_val2014_annotations.json", R"({"annotations":[
    {"question_type":"where","multiple_choice_answer":"down","image_id":262148,"answer_type":"other",
     "question_id":262148000,
     "answers":[{"answer":"down","answer_confidence":"yes","answer_id":1},{"answer":"at table","answer_id":2}]}]})");
}

TEST(Questions, OfVqaFindTheirAnswers) {
  const DataFolder folder;
  write_vqa(folder);
  // The pictures of COCO are JPEG: by another name they are found by their number.
  std::filesystem::rename(folder.path("val2014/COCO_val2014_000000262148.png"),
                          folder.path("val2014/COCO_val2014_000000262148.jpg"));
  for (const char* name : {"", "v2_OpenEnded_mscoco_val2014_questions.json", "v2_mscoco_val2014_annotations.json"}) {
    const Dataset data = folder.open(name);
    EXPECT_EQ(data.form, "VQAv2");
    ASSERT_EQ(data.samples.size(), 1u);
    const Sample& sample = data.samples[0];
    EXPECT_EQ(sample.id, "262148000");
    EXPECT_EQ(sample.source_id, "262148000");
    EXPECT_EQ(sample.prefix, "Where is he?");
    EXPECT_THAT(sample.answers, ElementsAre("down", "at table"));
    EXPECT_EQ(sample.answer_type, "other");
    EXPECT_EQ(sample.split, Split::validation);
    EXPECT_THAT(codes(data), ElementsAre("picture_missing", "empty_answer"));
  }
}

TEST(Questions, OfGqaHoldTheirAnswers) {
  const DataFolder folder;
  folder.picture("images/2405722.png");
  folder.write("testdev_balanced_questions.json",
               R"({"20":{"semantic":[],"imageId":"2405722","question":"Is it blue?",
    "answer":"no","fullAnswer":"No."},"21":{"imageId":"1","question":"Is it?","answer":"no"},
    "22":{"imageId":"2405722"}})");
  const Dataset data = folder.open();
  EXPECT_EQ(data.form, "GQA");
  EXPECT_THAT(ids(data), ElementsAre("20"));
  EXPECT_THAT(data.samples[0].answers, ElementsAre("no"));
  EXPECT_THAT(codes(data), ElementsAre("picture_missing", "bad_row"));
}

// The pickles are written by Python in the protocols 0 (as RefCOCO's are) and 4.
TEST(Refs, OfRefCocoAreReadWithTheirInstances) {
  for (const std::string name : {"refs_protocol0.p", "refs_protocol4.p"}) {
    const DataFolder folder;
    folder.picture("train2014/COCO_train2014_000000000001.png", 8, 4);
    folder.write("refcoco/refs(unc).p", Scratch::bytes_of(golden("data/" + name)));
    folder.write("refcoco/instances.json",
                 R"({"images":[
        {"id":1,"file_name":"COCO_train2014_000000000001.png","width":8,"height":4}],
      "annotations":[{"id":11,"image_id":1,"category_id":3,"bbox":[1,1,4,2],"iscrowd":0,
        "segmentation":[[1,1,5,1,5,3,1,3]]}],
      "categories":[{"id":3,"name":"cow"}]})");
    const Dataset data = folder.open();
    EXPECT_EQ(data.form, "RefCOCO");
    EXPECT_THAT(ids(data), ElementsAre("100", "101", "102"));
    EXPECT_EQ(data.samples[0].task, SampleTask::refer);
    EXPECT_EQ(data.samples[0].prefix, "the left cow");
    EXPECT_EQ(data.samples[1].prefix, "cow's friend");
    EXPECT_EQ(data.samples[0].split, Split::train);
    EXPECT_EQ(data.samples[2].split, Split::test);  // testB
    EXPECT_THAT(boxes(data.samples[0]), ElementsAre("cow 1 1 5 3"));
    EXPECT_EQ(data.samples[0].objects[0].shape.polygons.size(), 1u);
    EXPECT_THAT(codes(data), ElementsAre("bad_row"));
    EXPECT_EQ(folder.open("refcoco/refs(unc).p", {.pictures = folder.path("train2014")}).samples.size(), 3u);
  }
}

TEST(ClassFolders, AreQuestionsForTheClass) {
  const DataFolder folder;
  for (const char* name : {"train/cow/a.png", "train/cow/b.png", "train/red dog/a.png", "val/cow/c.png"})
    folder.picture(name);
  const Dataset data = folder.open("", {.question = "Which animal?"});
  EXPECT_EQ(data.form, "folders of classes");
  EXPECT_THAT(data.classes, ElementsAre("cow", "red dog"));
  ASSERT_EQ(data.samples.size(), 4u);
  EXPECT_EQ(data.samples[2].prefix, "Which animal?");
  EXPECT_THAT(data.samples[2].answers, ElementsAre("red dog"));
  EXPECT_EQ(data.samples[2].split, Split::train);
  EXPECT_EQ(data.samples[3].split, Split::validation);
}

TEST(ClassFolders, WithoutSplitsMayBeCalledLikeOne) {
  const DataFolder folder;
  folder.picture("train/a.png"), folder.picture("plane/b.png");
  const Dataset data = folder.open();
  EXPECT_THAT(data.classes, ElementsAre("plane", "train"));
  EXPECT_EQ(count_of(data, Split::none), 2u);
}

}  // namespace
}  // namespace paligemma::test
