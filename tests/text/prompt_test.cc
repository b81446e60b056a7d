#include "text/prompt.h"

#include <algorithm>
#include <string>
#include <vector>

#include "golden.h"

namespace paligemma {
namespace {

using testing::ElementsAre;

Ids expanded(const Json& runs) {
  Ids ids;
  for (const Json& run : runs) ids.insert(ids.end(), run[1].get<std::size_t>(), run[0].get<std::int32_t>());
  return ids;
}

// All input_ids of golden/forward of the references: transformers' processor on four models.
TEST(Prompt, IsLaidOutAsByTransformers) {
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    for (const Json& line : golden_lines("layouts.jsonl")) {
      const auto text = line["text"].get<std::string>();
      const Prompt prompt = layout_prompt(tokenizer, text, line["pictures"].get<int>(), line["image_tokens"].get<int>(),
                                          Specials::tokens);
      Ids ids = prompt.ids;
      EXPECT_EQ(prompt.prefix, static_cast<std::int64_t>(ids.size()));
      EXPECT_EQ(prompt.trailing_newline, text.ends_with('\n'));
      if (line.contains("suffix")) {
        const Ids suffix = tokenizer.encode(line["suffix"].get<std::string>(), Specials::tokens);
        ids.insert(ids.end(), suffix.begin(), suffix.end());
        ids.push_back(tokenizer.eos());
      }
      EXPECT_EQ(ids, expanded(line["runs"])) << line["name"];
    }
  }
}

TEST(Prompt, AsTextSpellsNoTokens) {
  const Tokenizer tokenizer = both_tokenizers().front();
  const Ids words = tokenizer.encode("a <image> b\n", Specials::text);
  Ids expected{2310, 2310, 2310, 2310, 2};
  expected.insert(expected.end(), words.begin(), words.end());
  EXPECT_EQ(layout_prompt(tokenizer, "a <image> b", 2, 2, Specials::text).ids, expected);
}

TEST(Prompt, WithoutPicturesBeginsWithBos) {
  const Tokenizer tokenizer = both_tokenizers().front();
  EXPECT_EQ(layout_prompt(tokenizer, "", 0, 16, Specials::tokens).ids, (Ids{2, 19}));
}

TEST(Prompt, SpellsNoImageOrOneForEachPicture) {
  const Tokenizer tokenizer = both_tokenizers().front();
  EXPECT_EQ(layout_prompt(tokenizer, "<image>a<image>", 2, 1, Specials::tokens).ids, (Ids{2310, 843, 2310, 2, 19}));
  for (const int pictures : {0, 1, 3}) {
    expect_error(ErrorKind::usage, "image_count", "got 2",
                 [&] { layout_prompt(tokenizer, "<image>a<image>", pictures, 1, Specials::tokens); });
  }
  const Tokenizer without = model_tokenizer(golden_file("tokenizer.model"));
  expect_error(ErrorKind::model, "tokenizer", "<image>", [&] { layout_prompt(without, "", 1, 1, Specials::tokens); });
}

TEST(PromptText, HasTheWordsOfEachTask) {
  EXPECT_EQ(prompt_text({.task = Task::caption}), "caption en");
  EXPECT_EQ(prompt_text({.task = Task::caption, .language = "pt-br", .length = CaptionLength::detailed}),
            "describe pt-br");
  EXPECT_EQ(prompt_text({.task = Task::caption, .language = "ko", .length = CaptionLength::alt}), "cap ko");
  EXPECT_EQ(prompt_text({.task = Task::ocr}), "ocr");
  EXPECT_EQ(prompt_text({.task = Task::ask, .text = "where is the cow?\r\n\n"}), "answer en where is the cow?");
  EXPECT_EQ(prompt_text({.task = Task::ask, .text = "어디에 있나요? 2 < 3; a > b", .language = "ko"}),
            "answer ko 어디에 있나요? 2 < 3; a > b");
  EXPECT_EQ(prompt_text({.task = Task::question, .text = "on the beach\n"}), "question en on the beach");
  EXPECT_EQ(prompt_text({.task = Task::question, .text = "해변", .language = "ko"}), "question ko 해변");
  EXPECT_EQ(prompt_text({.task = Task::detect, .labels = {"cat", " dog \n"}}), "detect cat ; dog");
  EXPECT_EQ(prompt_text({.task = Task::segment, .labels = {"red car, left"}}), "segment red car, left");
  EXPECT_EQ(prompt_text({.task = Task::run, .text = "<image> x <loc0001>\n"}), "<image> x <loc0001>\n");
}

TEST(PromptText, OfARegionIsItsTokens) {
  const std::array<double, 4> box{1, 2, 3, 4};
  const Request caption{.task = Task::caption, .region = box};
  EXPECT_EQ(prompt_text(caption, "<loc0001><loc0002><loc0003><loc0004>"),
            "caption <loc0001><loc0002><loc0003><loc0004>");
  EXPECT_EQ(specials_of(caption), Specials::tokens);
  EXPECT_EQ(specials_of({.task = Task::run}), Specials::tokens);
  EXPECT_EQ(specials_of({.task = Task::caption}), Specials::text);
  EXPECT_EQ(specials_of({.task = Task::ask, .region = box}), Specials::text);
  for (const Request& request : {Request{.task = Task::caption, .language = "ko", .region = box},
                                 Request{.task = Task::caption, .length = CaptionLength::detailed, .region = box},
                                 Request{.task = Task::ask, .text = "what?", .region = box}})
    expect_error(ErrorKind::usage, "region", "cannot", [&] { prompt_text(request, "<loc0001>"); });
}

TEST(PromptText, LabelsAndQuestionsAreData) {
  for (const char* token : {"<loc0001>", "<loc9999>", "<seg000>", "<bos>", "<eos>", "<pad>", "<unk>", "<image>",
                            "<mask>", "<start_of_turn>", "\t", "a\nb", "\x01", "\x7f", "\xc2\x85", "<<bos>"}) {
    const std::string text = join("a ", token, " b");
    const auto run = [&](const Request& request) { prompt_text(request); };
    expect_error(ErrorKind::usage, "label_tokens", "run", [&] { run({.task = Task::ask, .text = text}); });
    expect_error(ErrorKind::usage, "label_tokens", "use the answer",
                 [&] { run({.task = Task::question, .text = text}); });
    expect_error(ErrorKind::usage, "label_tokens", "run", [&] { run({.task = Task::detect, .labels = {text}}); });
    expect_error(ErrorKind::usage, "label_tokens", "run", [&] { run({.task = Task::segment, .labels = {"x", text}}); });
  }
  expect_error(ErrorKind::usage, "label_tokens", "\";\"",
               [] { prompt_text({.task = Task::detect, .labels = {"cat;dog"}}); });
  for (const char* words : {"<loc>", "<loc12", "<b>bold</b>", "1 < 2 > 0", "<bos", "loc0001", "\xc2\xa0", "\xc3\x85"}) {
    EXPECT_EQ(prompt_text({.task = Task::detect, .labels = {words}}), join("detect ", words));
  }
}

TEST(PromptText, PicturesAreNoPartOfTheAnswer) {
  expect_error(ErrorKind::usage, "suffix_image", "\"a <image>\": expected text, got <image>",
               [] { prompt_text({.task = Task::ocr, .suffix = "a <image>"}); });
  EXPECT_EQ(prompt_text({.task = Task::ocr, .suffix = "<loc0001> <eos> image>"}), "ocr");
}

TEST(PromptText, RefusesWhatIsEmptyOrNoLanguage) {
  expect_error(ErrorKind::usage, "label_empty", "none", [] { prompt_text({.task = Task::detect}); });
  expect_error(ErrorKind::usage, "label_empty", "empty",
               [] { prompt_text({.task = Task::segment, .labels = {" \n"}}); });
  expect_error(ErrorKind::usage, "question_empty", "", [] { prompt_text({.task = Task::ask, .text = " \n"}); });
  expect_error(ErrorKind::usage, "answer_empty", "", [] { prompt_text({.task = Task::question, .text = "\n"}); });
  for (const char* language : {"", "e n", "en\n", "<bos>", "é"}) {
    expect_error(ErrorKind::usage, "language", "code",
                 [&] { prompt_text({.task = Task::caption, .language = language}); });
    expect_error(ErrorKind::usage, "language", "code",
                 [&] { prompt_text({.task = Task::ask, .text = "x", .language = language}); });
  }
}

TEST(NoiseLabel, IsOneTokenThatCutsWhatIsAroundIt) {
  const std::string box = "<loc0001><loc0002><loc0003><loc0004>";
  for (const Tokenizer& tokenizer : both_tokenizers()) {
    EXPECT_EQ(noise_label(tokenizer), "<unused0>");
    Ids parts = tokenizer.encode(box, Specials::tokens);
    for (const std::string& part : std::vector<std::string>{"<unused0> ; ", box, " cow"}) {
      const Ids ids = tokenizer.encode(part, Specials::tokens);
      parts.insert(parts.end(), ids.begin(), ids.end());
    }
    EXPECT_EQ(tokenizer.encode(box + "<unused0> ; " + box + " cow", Specials::tokens), parts);
  }
  const FileBytes file = FileBytes::map(GOLDEN_DIR "/tokenizer/pocket.json", ErrorKind::model);
  const Tokenizer without = Tokenizer::from_json(file.text(), "pocket.json");
  EXPECT_EQ(noise_label(without), "<bos>");
  EXPECT_EQ(without.encode(noise_label(without), Specials::tokens), Ids{without.bos()});
}

TEST(AsksToDetect, BeginsWithTheWord) {
  EXPECT_TRUE(asks_to_detect("detect cow ; dog"));
  EXPECT_TRUE(asks_to_detect("detect all classes"));
  for (const char* prompt : {"", "detect", "detective", "segment cow", "answer en detect cow", " detect cow"})
    EXPECT_FALSE(asks_to_detect(prompt)) << prompt;
}

TEST(Prompt, IsOfAGroup) {
  EXPECT_EQ(prompt_group("answer en how many cows are there?"), "answer.en");
  EXPECT_EQ(prompt_group("caption ko"), "caption.ko");
  EXPECT_EQ(prompt_group("detect cow ; dog\n"), "detect");
  EXPECT_EQ(prompt_group("ocr"), "ocr");
  EXPECT_EQ(prompt_group("caption"), "other");
  EXPECT_EQ(prompt_group("what is this?"), "other");
  EXPECT_EQ(prompt_group(""), "other");
}

TEST(AsksToDetect, ForTheLabelsItNames) {
  EXPECT_THAT(asked_labels("detect cow ; toy dog;bird\n"), ElementsAre("cow", "toy dog", "bird"));
  EXPECT_THAT(asked_labels("detect a, b"), ElementsAre("a, b"));
  EXPECT_THAT(asked_labels("detect all classes"), ElementsAre());
  for (const char* prompt : {"", "detect", "detect  ; ", "segment cow"})
    EXPECT_THAT(asked_labels(prompt), ElementsAre()) << prompt;
}

TEST(SplitLabels, SplitsAtSemicolonsElseAtCommas) {
  EXPECT_THAT(split_labels("cow"), ElementsAre("cow"));
  EXPECT_THAT(split_labels("chair ; table"), ElementsAre("chair", "table"));
  EXPECT_THAT(split_labels("chair, table"), ElementsAre("chair", "table"));
  EXPECT_THAT(split_labels(" red car, left ;; dog;\n"), ElementsAre("red car, left", "dog"));
  for (const char* nothing : {"", " ", ";", " , ,", "\n"}) {
    expect_error(ErrorKind::usage, "label_empty", "label", [&] { split_labels(nothing); });
  }
}

}  // namespace
}  // namespace paligemma
