// What people and accidents can give the program: each ends in its exit code and one line, with everything else done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "child.h"
#include "io/json.h"
#include "support/crc32.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const fs::path kPocket = POCKET_DIR;

// Exit `code`, nothing on stdout, and one line with `part` on stderr.
void expect_ended(const Ended& ended, int code, const std::string& part) {
  EXPECT_EQ(ended.code, code) << part << ended.err;
  EXPECT_EQ(ended.out, "") << part;
  EXPECT_THAT(ended.err, AllOf(StartsWith("paligemma: "), HasSubstr(part), EndsWith("\n")));
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
}

// A copy of the embedded model's files, to be damaged.
std::string copy_model(const Scratch& scratch) {
  const fs::path model = scratch.folder() / "model";
  fs::remove_all(model);
  fs::create_directory(model);
  for (const auto& entry : fs::directory_iterator(kPocket))
    if (entry.is_regular_file()) fs::copy(entry.path(), model);
  return model.string();
}

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

// A safetensors file in parts.
struct Tensors {
  Json header;
  std::string data;

  explicit Tensors(const std::string& file) {
    std::size_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(file[static_cast<std::size_t>(i)]);
    header = parse_json(file.substr(8, length), "header", ErrorKind::failure);
    data = file.substr(8 + length);
  }
  std::string file() const { return file_with(dump_json(header)); }
  std::string file_with(const std::string& text) const { return little_endian(text.size()) + text + data; }
};

constexpr const char* kTensor = "language_model.model.layers.0.mlp.gate_proj.weight";  // 384 x 128, bf16

TEST(BadInput, DamagedWeightsAreExitFour) {
  const Scratch scratch;
  const std::string model = copy_model(scratch);
  const std::string good = scratch.read("model/model.safetensors");
  const Tensors tensors(good);
  const auto with = [&](const std::function<void(Json & header)>& change) {
    Tensors changed = tensors;
    change(changed.header);
    return changed.file();
  };
  const std::string text = dump_json(tensors.header);
  std::string many = "{";
  for (int i = 0; i < 100'000; ++i)
    many += "\"t" + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)";
  many.back() = '}';

  const std::pair<std::string, const char*> cases[] = {
      {"", "model.safetensors"},
      {good.substr(0, 1000), "header of"},
      {good.substr(0, good.size() / 2), "bytes of data"},
      {little_endian(std::uint64_t{1} << 63) + good.substr(8), "header of at most"},
      {little_endian(good.size()) + good.substr(8), "header of"},
      {tensors.file_with("{\"" + std::string(kTensor)), "JSON"},
      {with([](Json& header) { header[kTensor]["dtype"] = "F32"; }), "expected 196608 bytes"},
      {with([](Json& header) { header[kTensor]["dtype"] = "F77"; }),
       "gate_proj.weight: expected F32, BF16 or F16, got F77"},
      {with([](Json& header) { header[kTensor]["shape"] = {1LL << 40, 1LL << 40}; }), "too large"},
      {with([](Json& header) { header[kTensor]["shape"] = {-384, -128}; }), kTensor},
      {with([](Json& header) { header[kTensor]["data_offsets"] = {1, 98305}; }), kTensor},
      {with([](Json& header) { header[kTensor]["data_offsets"] = {98304, 0}; }), kTensor},
      {with([](Json& header) { header.erase(kTensor); }), "expected to begin at byte"},
      {tensors.file_with(text.substr(0, text.size() - 1) + ",\"" + kTensor +
                         "\":" + dump_json(tensors.header[kTensor]) + "}"),
       "twice"},
      {Tensors(good).file_with(many), ""},
  };
  for (const auto& [file, part] : cases) {
    scratch.write("model/model.safetensors", file);
    expect_ended(run_program({"ocr", kBeach, "-m", model}), 4, part);
    EXPECT_EQ(run_program({"inspect", model}).code, 4) << part;
  }
}

TEST(BadInput, WeightsThatAreNoNumbersAreReportedByInspect) {
  const Scratch scratch;
  const std::string model = copy_model(scratch);
  Tensors tensors(scratch.read("model/model.safetensors"));
  const auto at = tensors.header[kTensor]["data_offsets"][0].get<std::size_t>();
  tensors.data.replace(at, 4, "\xc0\x7f\x80\xff", 4);  // a NaN and minus infinity
  scratch.write("model/model.safetensors", tensors.file());
  const Ended ended = run_program({"inspect", model});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, AllOf(StartsWith("warning: not_finite: "), HasSubstr(kTensor), HasSubstr(" 2 ")));
  EXPECT_THAT(ended.out, HasSubstr(kTensor));
}

TEST(BadInput, OtherDamagedFilesOfAModelAreExitFour) {
  const Scratch scratch;
  const Json config = parse_json(Scratch::bytes_of(kPocket / "config.json"), "config", ErrorKind::failure);
  const auto with = [&](const char* key, const Json& value) {
    Json changed = config;
    changed["text_config"][key] = value;
    return dump_json(changed);
  };
  const std::tuple<const char*, std::string, const char*> cases[] = {
      {"config.json", "", "config.json"},
      {"config.json", "[]", "config.json"},
      {"config.json", std::string(100'000, '['), "config.json"},
      {"config.json", with("num_hidden_layers", 99), "num_hidden_layers is 99, the number of layers says 4"},
      {"config.json", with("num_hidden_layers", 1'000'000'000'000), "num_hidden_layers"},
      {"config.json", with("hidden_size", 64), "hidden_size is 64, the embedding says 128"},
      {"config.json", with("head_dim", "x"), "head_dim"},
      {"tokenizer.json", "", "tokenizer.json"},
      {"tokenizer.json", std::string(1000, '\xff'), "tokenizer.json"},
      {"tokenizer.model", "\x0a\xff\xff\xff\xff\x0f", "tokenizer.model"},
      {"mask_codec.safetensors", "junk", "mask_codec.safetensors"},
      {"vae-oid.npz", std::string("PK\3\4") + std::string(100, 'x'), "vae-oid.npz"},
  };
  for (const auto& [name, text, part] : cases) {
    const std::string model = copy_model(scratch);
    scratch.write(std::string("model/") + name, text);
    expect_ended(run_program({"segment", "cow", kBeach, "-m", model}), 4, part);
  }
  const std::string model = copy_model(scratch);
  fs::remove(scratch.path("model/model.safetensors"));
  scratch.write("model/model.safetensors.index.json",
                join(R"({"weight_map":{")", kTensor, R"(":"gone.safetensors"}})"));
  expect_ended(run_program({"ocr", kBeach, "-m", model}), 4, "gone.safetensors");
}

// Files of the other forms that are cut, as an interrupted download leaves them.
TEST(BadInput, CutFilesOfAllFormsAreExitFour) {
  const fs::path golden = GOLDEN_DIR;
  const std::string tokenizer = (golden / "tokenizer/small.model").string(), pg2 = (golden / "models/pg2").string();
  // The file that is cut, and the words that name what it belongs to; the file lies in FOLDER.
  const std::pair<fs::path, std::vector<std::string>> cases[] = {
      {golden / "npz/pg2/model.npz", {"-m", "FOLDER/model.npz", "--tokenizer", tokenizer}},
      {golden / "keras/pg1_f32/model.keras", {"-m", "FOLDER/model.keras", "--tokenizer", tokenizer}},
      {golden / "keras/pg1_f32/model.weights.h5", {"-m", "FOLDER", "--tokenizer", tokenizer}},
      {golden / "keras/pg1_f32/config.json", {"-m", "FOLDER", "--tokenizer", tokenizer}},
      {golden / "keras/pg2_f32_sharded/model_00001.weights.h5", {"-m", "FOLDER", "--tokenizer", tokenizer}},
      {golden / "keras/pg2_f32_sharded/model.weights.json", {"-m", "FOLDER", "--tokenizer", tokenizer}},
      {golden / "models/pg2/model-00002-of-00006.safetensors", {"-m", "FOLDER"}},
      {golden / "models/pg2/model.safetensors.index.json", {"-m", "FOLDER"}},
      {golden / "models/pg2/preprocessor_config.json", {"-m", "FOLDER"}},
      {golden / "lora/plain/adapter_model.safetensors", {"-m", pg2, "--adapter", "FOLDER"}},
      {golden / "lora/plain/adapter_config.json", {"-m", pg2, "--adapter", "FOLDER"}},
      {golden / "codec/vae.npz", {"--codec", "FOLDER/vae.npz"}},
      {golden / "codec/tiny.safetensors", {"--codec", "FOLDER/tiny.safetensors"}},
      {golden / "tokenizer/tokenizer.model", {"-m", pg2, "--tokenizer", "FOLDER/tokenizer.model"}},
      {golden / "tokenizer/tokenizer.json", {"-m", pg2, "--tokenizer", "FOLDER/tokenizer.json"}},
  };
  for (const auto& [whole, options] : cases) {
    const Scratch scratch;
    for (const auto& entry : fs::directory_iterator(whole.parent_path()))
      if (entry.is_regular_file()) fs::copy(entry.path(), scratch.folder());
    std::vector<std::string> words{"segment", "cow", kBeach, "--max-tokens", "1"};
    for (const std::string& option : options) {
      const bool in_folder = option.starts_with("FOLDER");
      words.push_back(in_folder ? scratch.folder().string() + option.substr(6) : option);
    }
    const std::string name = whole.filename().string(), bytes = Scratch::bytes_of(whole);
    for (const std::size_t size : {std::size_t{0}, bytes.size() / 2, bytes.size() - 2}) {
      scratch.write(name, bytes.substr(0, size));
      expect_ended(run_program(words), 4, name);
    }
  }
}

// A PNG of 8-bit RGB whose compressed pixels are `data`.
std::string png(std::uint32_t width, std::uint32_t height, const std::string& data) {
  const auto big_endian = [](std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
    return bytes;
  };
  const auto chunk = [&](const std::string& body) {
    return big_endian(static_cast<std::uint32_t>(body.size() - 4)) + body +
           big_endian(crc32(std::as_bytes(std::span(body))));
  };
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR" + big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5)) +
         chunk("IDAT" + data) + chunk("IEND");
}

TEST(BadInput, PicturesOfOddSizesAreRefusedOrRead) {
  const Scratch scratch;
  // zlib: one stored block, 4 bytes (the filter and one pixel), and their checksum.
  const std::string pixel("\x78\x01\x01\x04\x00\xfb\xff\x00\x10\x20\x30\x00\xa4\x00\x61", 15);
  const Ended one = run_program({"detect", "cow", scratch.write("one.png", png(1, 1, pixel)), "--json"});
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("\"width\":1,\"height\":1"));
  const std::pair<std::string, const char*> cases[] = {
      {png(0, 0, pixel), "damaged PNG"},
      {png(30000, 30000, pixel), "at most 178956970 pixels, got 30000x30000"},
      {png(0x7fffffff, 0x7fffffff, pixel), "at most 178956970 pixels"},
      {png(13000, 13000, pixel), "13000x13000 pixels cannot be in"},  // said before they are allocated
      {"P6 13000 13000 255\n", "13000x13000 pixels cannot be in"},
      {"P6 0 5 255\n", "0x5"},
      {"", "empty"},
      {std::string("GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\0;", 26), "at most 178956970 pixels"},
  };
  for (const auto& [bytes, part] : cases) expect_ended(run_program({"ocr", scratch.write("a.png", bytes)}), 3, part);
}

TEST(BadInput, CutPicturesOfAllFormatsAreExitThree) {
  const Scratch scratch;
  for (const char* name : {"cat.png", "rgb16.png", "astronaut.jpg", "coffee_progressive.jpg", "astronaut_lossy.webp",
                           "shapes_lossless.webp", "shapes.gif", "shapes.bmp"}) {
    const std::string bytes = Scratch::bytes_of(fs::path(GOLDEN_DIR) / "pictures" / name);
    for (const std::size_t size : {std::size_t{5}, bytes.size() / 2})
      expect_ended(run_program({"ocr", scratch.write("cut", bytes.substr(0, size))}), 3, "cut: ");
  }
  expect_ended(run_program({"ocr", kBeach, "--max-pixels", "200703"}), 3,
               "expected at most 200703 pixels, got 448x448 = 200704");
}

TEST(BadInput, LongPromptsAreRefused) {
  const Scratch scratch;
  const std::string megabyte(1 << 20, 'x'), most(100'000, 'x');  // what one argument can hold
  const std::string requests =
      scratch.write("long.jsonl", R"({"image":")" + kBeach + R"(","prompt":")" + megabyte + "\"}\n");
  expect_ended(run_program({"run", "--requests", requests}), 2, "long.jsonl line 1: the prompt is too long");
  expect_ended(run_program({"run", most, kBeach}), 2, "the prompt is too long");
  expect_ended(run_program({"ask", kBeach, most}), 2, "the prompt is too long");
  expect_ended(run_program({"question", most, kBeach}), 2, "the prompt is too long");
  expect_ended(run_program({"detect", most, kBeach}), 2, "the prompt is too long");
  expect_ended(run_program({"ocr", kBeach, "--suffix", most}), 2, "the prompt is too long");
}

TEST(BadInput, WhatMayNotBeReadIsSaidByWhatItIs) {
  const Scratch scratch;
  fs::permissions(scratch.folder(), fs::perms(0755));
  const std::string closed = scratch.write("closed.png", Scratch::bytes_of(kBeach));
  const std::string beach = scratch.write("beach.png", Scratch::bytes_of(kBeach));
  const std::string list = scratch.write("list.txt", beach + "\n"), requests = scratch.write("requests.jsonl", "{}");
  const std::string model = copy_model(scratch), folder = scratch.path("folder"), out = scratch.path("out");
  scratch.write("folder/a.png", "");
  fs::create_directory(out);
  for (const std::string& path : {closed, list, requests, model + "/model.safetensors", folder})
    fs::permissions(path, fs::perms::none);
  fs::permissions(out, fs::perms(0555));
  const std::string denied = "Permission denied";
  // Under AddressSanitizer its file of known leaks would be out of reach.
  const Setting setting{.environment = {"LSAN_OPTIONS=detect_leaks=0"}, .in_child = give_up_root};
  expect_ended(run_program({"ocr", closed}, setting), 3, denied);
  expect_ended(run_program({"ocr", "@" + list}, setting), 2, denied);
  expect_ended(run_program({"ocr", folder}, setting), 2, denied);
  expect_ended(run_program({"run", "--requests", requests}, setting), 2, denied);
  expect_ended(run_program({"ocr", beach, "-m", model}, setting), 4, denied);
  expect_ended(run_program({"ocr", beach, "--tokenizer", list}, setting), 4, denied);
  expect_ended(run_program({"ocr", beach, "--codec", list}, setting), 4, denied);
  expect_ended(run_program({"detect", "cow", beach, "-o", out + "/"}, setting), 1, denied);
  expect_ended(run_program({"detect", "cow", beach, "-o", out + "/a.png"}, setting), 1, denied);
  expect_ended(run_program({"detect", "cow", beach, "--format", "voc", "-o", out}, setting), 1, denied);
  expect_ended(run_program({"detect", "cow", beach, "--format", "coco", "-o", out + "/a.json"}, setting), 1, denied);
  expect_ended(run_program({"demo", out}, setting), 1, denied);
  const Ended others = run_program({"ocr", closed, beach}, setting);
  EXPECT_EQ(others.code, 3);
  EXPECT_THAT(others.out, StartsWith(beach + "\t"));
  fs::permissions(folder, fs::perms::all);
}

TEST(BadInput, AFullDiskIsExitOneAndLeavesNothingHalf) {
  const Scratch scratch;
  const std::string model = GOLDEN_DIR "/models/pg2";
  const std::vector<std::string> lines[] = {
      {"convert", model, scratch.path("m.npz"), "--to", "npz"},
      {"convert", model, scratch.path("keras"), "--to", "keras"},
      {"convert", model, scratch.path("hf"), "--to", "hf"},
      {"demo", scratch.path("demo")},
      {"detect", "cow", kBeach, "-q", "-o", scratch.path("a.png")},
      {"segment", "cow", kBeach, "-q", "-o", scratch.path("out/")},
      {"detect", "cow", kBeach, "--format", "coco", "-o", scratch.path("a.json")},
      {"detect", "cow", kBeach, "--format", "csv", "-o", scratch.path("a.csv")},
      {"detect", "cow", kBeach, "--format", "jsonl", "-o", scratch.path("a.jsonl")},
      {"detect", "cow", kBeach, "--format", "voc", "-o", scratch.path("out/")},
      {"detect", "cow", kBeach, "--format", "yolo", "-o", scratch.path("out/")}};
  for (const std::vector<std::string>& words : lines) {
    const Ended ended = run_program(words, {.in_child = with_files_up_to(3)});
    EXPECT_EQ(ended.code, 1) << ended.err;
    EXPECT_THAT(ended.err, AllOf(StartsWith("paligemma: "), HasSubstr("File too large")));
    for (const auto& entry : fs::recursive_directory_iterator(scratch.folder()))
      EXPECT_TRUE(entry.is_directory()) << entry.path();
  }
}

}  // namespace
}  // namespace paligemma::test
