#include "data/loader.h"

#include <fstream>
#include <set>

#include "folder.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct PictureRows : DataFolder {
  explicit PictureRows(int count) {
    std::string rows;
    for (int i = 0; i < count; ++i) {
      picture(join(i, ".png"), 20 + i, 12, i);
      rows += join(R"({"image":")", i, R"(.png","objects":{"bbox":[[1,1,)", 4 + i,
                   R"(,6],[0,0,3,3]],"categories":["cow","dog"]}})", "\n");
    }
    write("rows.jsonl", rows);
  }
};

std::vector<std::size_t> all_of(const Dataset& data) { return places_of(data, Split::none); }

std::vector<std::vector<std::size_t>> apart(const std::vector<std::size_t>& samples) {
  std::vector<std::vector<std::size_t>> groups;
  for (const std::size_t sample : samples) groups.push_back({sample});
  return groups;
}

std::string shown_example(const Example& example) {
  std::string text = join(example.epoch, " ", example.position, " ", example.sample, " ", example.target.prefix, " ",
                          example.target.text(), " ");
  return text.append(example.picture.rgb.begin(), example.picture.rgb.end());
}

std::vector<std::string> examples(Loader& loader, int count) {
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) result.push_back(shown_example(loader.next()));
  return result;
}

LoaderOptions everything(int threads) {
  LoaderOptions options{.side = 14,
                        .augment = parse_augment("flip,crop,zoom-out,color,blur,jpeg"),
                        .seed = 9,
                        .threads = threads,
                        .ahead = 5};
  options.target.fill_to = 3;
  return options;
}

TEST(Loader, GivesTheSameForAnyNumberOfThreads) {
  const PictureRows folder(11);
  const Dataset data = folder.open();
  Loader one(data, all_of(data), everything(1));
  const std::vector<std::string> expected = examples(one, 40);
  for (const int threads : {2, 5}) {
    Loader several(data, all_of(data), everything(threads));
    EXPECT_EQ(examples(several, 40), expected);
  }
  EXPECT_EQ(std::set(expected.begin(), expected.end()).size(), 40u);
}

TEST(Loader, GoesThroughAllSamplesInEachEpoch) {
  const PictureRows folder(7);
  const Dataset data = folder.open();
  Loader loader(data, all_of(data), {.side = 8, .seed = 1, .threads = 2});
  std::vector<std::vector<std::size_t>> orders;
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::size_t>& order = orders.emplace_back();
    for (std::uint64_t position = 0; position < 7; ++position) {
      const Example example = loader.next();
      EXPECT_EQ(example.epoch, epoch);
      EXPECT_EQ(example.position, position);
      EXPECT_EQ(example.picture.width, 8);
      order.push_back(example.sample);
    }
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 7u);
    EXPECT_EQ(order, epoch_order(apart(all_of(data)), 1, epoch));
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(epoch_order(apart(all_of(data)), 1, 0), epoch_order(apart(all_of(data)), 2, 0));
  Loader plain(data, all_of(data), {.side = 8, .shuffle = false, .threads = 1});
  for (std::size_t i = 0; i < 14; ++i) EXPECT_EQ(plain.next().sample, i % 7);
}

TEST(Loader, KeepsSamplesAboutOnePictureTogether) {
  const DataFolder folder;
  std::string rows;
  for (int i = 0; i < 4; ++i) folder.picture(join(i, ".png"));
  for (int i = 0; i < 12; ++i) rows += join(R"({"image":")", i % 4, R"(.png","suffix":"text )", i, R"("})", "\n");
  folder.write("rows.jsonl", rows);
  const Dataset data = folder.open();
  LoaderOptions options{.side = 8, .together = true, .seed = 1, .threads = 2};
  options.augment.color = true;
  Loader loader(data, all_of(data), options);
  std::set<std::vector<std::size_t>> orders;
  for (int epoch = 0; epoch < 8; ++epoch) {
    std::vector<std::size_t> order;
    for (int i = 0; i < 12; ++i) {
      const Example example = loader.next();
      EXPECT_EQ(example.picture.rgb, make_example(data, example.sample, options, example.epoch).picture.rgb);
      order.push_back(example.sample);
    }
    for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(order[i] % 4, order[i - i % 3] % 4);
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 12u);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 4u);
}

TEST(Loader, GoesOnFromAnyPlace) {
  const PictureRows folder(7);
  const Dataset data = folder.open();
  Loader loader(data, all_of(data), everything(2));
  const std::vector<std::string> whole = examples(loader, 20);
  for (const std::size_t place : {0u, 3u, 7u, 12u}) {
    Loader resumed(data, all_of(data), everything(2));
    resumed.seek(place / 7, place % 7);
    EXPECT_EQ(examples(resumed, 8), std::vector(whole.begin() + place, whole.begin() + place + 8));
    loader.seek(place / 7, place % 7);
    EXPECT_EQ(examples(loader, 8), std::vector(whole.begin() + place, whole.begin() + place + 8));
  }
}

TEST(Loader, SkipsABrokenPictureAndListsIt) {
  const PictureRows folder(5);
  const std::string picture = folder.read("2.png");
  folder.write("2.png", picture.substr(0, picture.size() / 2));
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 5u);  // it begins like one
  Loader loader(data, all_of(data), {.side = 8, .seed = 4, .threads = 2});
  for (std::uint64_t epoch = 0; epoch < 2; ++epoch)
    for (const std::size_t sample : epoch_order(apart(all_of(data)), 4, epoch))
      if (sample != 2) {
        EXPECT_EQ(loader.next().sample, sample);
      }
  loader.next();
  ASSERT_EQ(loader.skipped().size(), 1u);
  EXPECT_EQ(loader.skipped()[0].sample, 2u);
  EXPECT_THAT(loader.skipped()[0].message, HasSubstr("2.png"));
}

TEST(Loader, EndsWhenNoPictureCanBeRead) {
  const PictureRows folder(3);
  for (int i = 0; i < 3; ++i) folder.write(join(i, ".png"), "\x89PNG\r\n\x1a\n");
  const Dataset data = folder.open();
  Loader loader(data, all_of(data), {.side = 8, .threads = 2});
  expect_error(ErrorKind::input, "data_unreadable", "got none that can be read in 3 samples", [&] { loader.next(); });
  EXPECT_EQ(loader.skipped().size(), 3u);
}

TEST(Loader, HandsOnWhatIsWrongBesidePictures) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("coco.json",
               R"({"images":[{"id":1,"file_name":"a.png","width":8,"height":4}],"categories":[{"id":1,"name":"cow"}],
    "annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,4,2],"segmentation":[[1,1,5,1,5,3,1,3]]}]})");
  const Dataset data = folder.open("", {.task = SampleTask::segment});
  Loader loader(data, all_of(data), {.side = 8, .threads = 1});
  expect_error(ErrorKind::usage, "mask", "got none. Try: --codec", [&] { loader.next(); });
  expect_error(ErrorKind::usage, "data_empty", "expected samples, got none", [&] { Loader(data, {}, {}); });
}

TEST(Loader, GivesMasksToTheEncoder) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("coco.json",
               R"({"images":[{"id":1,"file_name":"a.png","width":8,"height":4}],"categories":[{"id":1,"name":"cow"}],
    "annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,4,2],"segmentation":[[1,1,5,1,5,3,1,3]]}]})");
  const Dataset data = folder.open("", {.task = SampleTask::segment});
  LoaderOptions options{.side = 8, .threads = 1};
  options.target.encode = [](const Mask& mask, const std::array<double, 4>& box) {
    EXPECT_EQ(mask.inside, std::vector<std::uint8_t>(8, 1));
    EXPECT_EQ(box, (std::array<double, 4>{1, 1, 5, 3}));
    return std::array<int, 16>{5};
  };
  Loader loader(data, all_of(data), options);
  EXPECT_THAT(loader.next().target.text(), HasSubstr("<loc0256><loc0128><loc0767><loc0639><seg005><seg000>"));
}

TEST(Decoded, PicturesOfAnotherSizeAreRefused) {
  const DataFolder folder;
  Sample sample{.picture = {.name = "a.png", .path = folder.picture("a.png", 8, 4)}, .width = 16, .height = 8};
  EXPECT_EQ(decode_sample(sample).picture.width, 8);  // text does not care
  sample.objects.push_back({.label = "cow", .box = {1, 1, 5, 3}});
  expect_error(ErrorKind::input, "image_size", "expected 16 x 8 as its boxes say, got 8 x 4",
               [&] { decode_sample(sample); });
}

// An EXIF orientation of 6: stored on its side.
TEST(Decoded, PicturesAreTurnedAsTheirBoxesAre) {
  Sample sample{.picture = {.path = golden("pictures/cat_exif_rotated.jpg")}};
  const Picture upright = read_picture(sample.picture.path),
                stored = read_picture(sample.picture.path, {.apply_exif = false});
  ASSERT_EQ(upright.width, stored.height);
  ASSERT_NE(upright.width, upright.height);
  sample.objects.push_back({.label = "cat", .box = {1, 1, 5, 3}});
  EXPECT_EQ(decode_sample(sample).picture.rgb, upright.rgb);
  sample.width = upright.width, sample.height = upright.height;
  EXPECT_EQ(decode_sample(sample).picture.rgb, upright.rgb);
  sample.width = stored.width, sample.height = stored.height;
  EXPECT_EQ(decode_sample(sample).picture.rgb, stored.rgb);
}

TEST(Decoded, ObjectsArePixelsOfThePicture) {
  const DataFolder folder;
  Sample sample{.picture = {.path = folder.picture("a.png", 8, 4)}, .task = SampleTask::segment, .unit = Unit::shares};
  sample.objects.push_back({.label = "cow", .box = {0.125, 0.25, 0.625, 0.75}});
  sample.objects[0].shape.polygons = {{0.125, 0.25, 0.625, 0.25, 0.625, 0.75, 0.125, 0.75}};
  sample.objects.push_back({.label = "herd", .box = {0, 0, 1, 1}, .crowd = true});
  const DecodedSample decoded = decode_sample(sample);
  ASSERT_EQ(decoded.objects.size(), 1u);
  EXPECT_EQ(decoded.objects[0].box, (std::array<double, 4>{1, 1, 5, 3}));
  EXPECT_EQ(decoded.objects[0].mask->width, 4);
}

TEST(Decoded, BoxesAreCutAtThePictureThatTheDataDidNotMeasure) {
  const DataFolder folder;
  Sample sample{.picture = {.path = folder.picture("a.png", 8, 4)}, .task = SampleTask::detect};
  sample.objects = {{.label = "cow", .box = {1, 1, 50, 3}}, {.label = "cow", .box = {20, 1, 50, 3}}};
  const DecodedSample decoded = decode_sample(sample);
  ASSERT_EQ(decoded.objects.size(), 1u);
  EXPECT_EQ(decoded.objects[0].box, (std::array<double, 4>{1, 1, 8, 3}));
}

TEST(Decoded, PicturesMayLieInTheirLabelMeDocument) {
  const DataFolder folder;
  // A red picture of 3 x 2, written by Pillow.
  folder.write("a.json",
               R"({"shapes":[{"label":"cow","points":[[0,0],[2,2]],"shape_type":"rectangle"}],"imagePath":"gone.png",
    "imageHeight":2,"imageWidth":3,"imageData":")"
               "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP8zwAFTDAGAwATKQED8NgHhAAAAABJRU5ErkJggg=="
               R"("})");
  const Dataset data = folder.open();
  ASSERT_EQ(data.samples.size(), 1u);
  EXPECT_TRUE(data.samples[0].picture.in_labelme);
  const DecodedSample decoded = decode_sample(data.samples[0]);
  EXPECT_EQ(decoded.picture.width, 3);
  EXPECT_THAT(std::vector(decoded.picture.rgb.begin(), decoded.picture.rgb.begin() + 3), ElementsAre(255, 0, 0));
}

}  // namespace
}  // namespace paligemma::test
