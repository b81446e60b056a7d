#include "io/npz.h"

#include <string>
#include <vector>

#include "contents.h"

namespace paligemma {
namespace {

using testing::ElementsAre;

std::string little(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i, value >>= 8) result += static_cast<char>(value);
  return result;
}

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

// A member of a zip archive, whose header may say other than what is there.
struct Entry {
  std::string name, data;
  std::uint64_t size = data.size(), packed = data.size();
  int method = 0;
  std::uint32_t crc = crc32(data);
};

// Layout as in PKWARE's APPNOTE 4.3. With zip64 both sizes and the offset stand in extra fields, and so does what the
// end record says.
std::string zip_of(const std::vector<Entry>& entries, bool zip64 = false) {
  std::string body, directory;
  for (const Entry& e : entries) {
    const std::uint64_t offset = body.size();
    const auto narrow = [&](std::uint64_t value) { return little(zip64 ? 0xffffffffu : value, 4); };
    const std::string both = zip64 ? little(e.size, 8) + little(e.packed, 8) : "";
    const std::string local = zip64 ? little(1, 2) + little(16, 2) + both : "";
    const std::string central = zip64 ? little(1, 2) + little(24, 2) + both + little(offset, 8) : "";
    const std::string shared = little(zip64 ? 45 : 20, 2) + little(0, 2) + little(e.method, 2) + little(0, 4) +
                               little(e.crc, 4) + narrow(e.packed) + narrow(e.size) + little(e.name.size(), 2);
    body += "PK\3\4" + shared + little(local.size(), 2) + e.name + local + e.data;
    directory += "PK\1\2" + little(45, 2) + shared + little(central.size(), 2) + little(0, 2 + 2 + 2 + 4) +
                 narrow(offset) + e.name + central;
  }
  std::string end;
  if (zip64) {
    end = "PK\6\6" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) + little(entries.size(), 8) +
          little(entries.size(), 8) + little(directory.size(), 8) + little(body.size(), 8);
    end += "PK\6\7" + little(0, 4) + little(body.size() + directory.size(), 8) + little(1, 4);
  }
  const auto count = little(zip64 ? 0xffffu : entries.size(), 2);
  end += "PK\5\6" + little(0, 4) + count + count + little(zip64 ? 0xffffffffu : directory.size(), 4) +
         little(zip64 ? 0xffffffffu : body.size(), 4) + little(0, 2);
  return body + directory + end;
}

std::string npy(std::string_view dictionary, std::size_t data_bytes, int version = 1) {
  return "\x93NUMPY" + little(version, 2) + little(dictionary.size(), version == 1 ? 2 : 4) + std::string(dictionary) +
         std::string(data_bytes, '\0');
}

constexpr std::string_view kTwoFloats = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";

auto npz_of(const std::string& file, std::uint64_t limit = 1 << 20) {
  return read_npz(FileBytes::borrow(as_bytes(file)), "x.npz", limit);
}

void expect_npz_refused(const std::string& file, std::string_view part) {
  expect_error(ErrorKind::model, "npz", part, [&] { npz_of(file); });
  expect_error(ErrorKind::model, "npz", "x.npz", [&] { npz_of(file); });
}

void expect_array_refused(const std::string& array, std::string_view part) {
  SCOPED_TRACE(array);
  expect_npz_refused(zip_of({{.name = "a.npy", .data = array}}), part);
}

// Both written by numpy 2.4: savez and savez_compressed.
TEST(Npz, ReadsWhatNumpyWrites) {
  for (const char* name : {"stored", "deflated"}) {
    SCOPED_TRACE(name);
    const auto file = read_npz(FileBytes::map(join(GOLDEN_DIR "/io/", name, ".npz"), ErrorKind::model), name);
    const HostTensor& f4 = file.at("a/f4").tensor;
    EXPECT_EQ(f4.dtype, DType::f32);
    EXPECT_THAT(f4.shape, ElementsAre(2, 3));
    EXPECT_THAT(values(f4), ElementsAre(1.5f, -2.25f, 3.0f, 0.0f, 1e-30f, 6e4f));
    EXPECT_EQ(file.at("f2").tensor.dtype, DType::f16);
    EXPECT_THAT(values(file.at("f2").tensor), ElementsAre(0.5f, -65504.0f, 5.9604645e-8f));
    EXPECT_EQ(file.at("bf16").tensor.dtype, DType::bf16);
    EXPECT_THAT(values(file.at("bf16").tensor), ElementsAre(1.0f, -0.5f, 3.140625f));
    EXPECT_THAT(file.at("scalar").tensor.shape, ElementsAre());
    EXPECT_THAT(values(file.at("scalar").tensor), ElementsAre(7.25f));
    EXPECT_THAT(file.at("empty").tensor.shape, ElementsAre(0, 4));
    EXPECT_TRUE(file.at("empty").tensor.bytes.empty());
    EXPECT_EQ(file.size(), name == std::string("stored") ? 5u : 6u);
  }
}

// First, second and last values as numpy prints them.
TEST(Npz, ReadsAMaskCodec) {
  const auto file = read_npz(FileBytes::map(GOLDEN_DIR "/codec/vae_small.npz", ErrorKind::model), "codec");
  EXPECT_EQ(file.size(), 47u);
  const HostTensor& codebook = file.at("_vq_vae._embedding").tensor;
  EXPECT_THAT(codebook.shape, ElementsAre(128, 24));
  const auto numbers = values(codebook);
  EXPECT_EQ(numbers[0], -0.5103707909584045f);
  EXPECT_EQ(numbers[1], -0.8331444263458252f);
  EXPECT_EQ(numbers.back(), -0.41524458f);
  EXPECT_THAT(file.at("decoder.4.weight").tensor.shape, ElementsAre(16, 16, 4, 4));
  EXPECT_EQ(values(file.at("decoder.4.weight").tensor).back(), -0.21738708f);
}

TEST(Npz, ReadsZip64AndHeadersOfAllVersions) {
  for (const bool zip64 : {false, true})
    for (const int version : {1, 2, 3}) {
      const auto file = npz_of(zip_of({{.name = "a.npy", .data = npy(kTwoFloats, 8, version)},
                                       {.name = "readme.txt", .data = "no array"},
                                       {.name = "b/c.npy", .data = npy(kTwoFloats, 8, version)}},
                                      zip64));
      ASSERT_EQ(file.size(), 2u);
      EXPECT_THAT(values(file.at("b/c").tensor), ElementsAre(0.0f, 0.0f));
    }
  EXPECT_TRUE(npz_of(zip_of({})).empty());
}

TEST(Npz, DictionaryMayBeWrittenInOtherWays) {
  for (const char* text : {R"({"shape":(2,),"fortran_order":False,"descr":"<f4"})",
                           "{ 'shape' : ( 2L , ) , 'descr' : '<f4' , 'fortran_order' : False , }   \n"}) {
    const auto file = npz_of(zip_of({{.name = "a.npy", .data = npy(text, 8)}}));
    EXPECT_THAT(file.at("a").tensor.shape, ElementsAre(2));
  }
}

TEST(Npz, RefusesWhatIsNoArchive) {
  expect_npz_refused("", "not a zip archive");
  expect_npz_refused("hello", "not a zip archive");
  expect_npz_refused("PK\3\4hello", "its end is missing or damaged. Try: download it again");
  std::string file = zip_of({{.name = "a.npy", .data = npy(kTwoFloats, 8)}});
  for (std::size_t length = 0; length < file.size(); ++length)
    EXPECT_THROW(npz_of(file.substr(0, length)), Error) << length;
}

TEST(Npz, RefusesALyingArchive) {
  const std::string good = npy(kTwoFloats, 8);
  expect_npz_refused(zip_of({{.name = "a.npy", .data = good, .crc = 1}}), "CRC");
  expect_npz_refused(zip_of({{.name = "a.npy", .data = good, .size = 1'000'000}}), "claims 1000000 bytes");
  expect_npz_refused(zip_of({{.name = "a.npy", .data = good, .packed = 1'000'000}}), "out of 1000000");
  expect_npz_refused(
      zip_of({{.name = "a.npy", .data = good, .size = std::uint64_t{1} << 60, .packed = std::uint64_t{1} << 60}}, true),
      "in a file of");
  expect_npz_refused(zip_of({{.name = "a.npy", .data = good, .size = 100'000, .method = 8}}), "entry a.npy: ");
  expect_npz_refused(zip_of({{.name = "a.npy", .data = good, .method = 12}}), "method 12");
  expect_npz_refused(zip_of({{.name = "a.npy", .data = good}, {.name = "a.npy", .data = good}}), "twice");
  const std::string two = zip_of({{.name = "a.npy", .data = good}, {.name = "b.npy", .data = good}});
  expect_error(ErrorKind::model, "npz", "limit", [&] { npz_of(two, 15); });
  EXPECT_EQ(npz_of(two, 16).size(), 2u);
}

TEST(Npz, RefusesALyingArray) {
  expect_array_refused("", "header");
  expect_array_refused("hello, I am text", "header");
  expect_array_refused(npy(kTwoFloats, 8, 4), "header");
  expect_array_refused("\x93NUMPY" + little(1, 2) + little(60000, 2) + "{}", "header");
  expect_array_refused(npy("{'descr': '<f4', 'shape': (2,), }", 8), "header");
  expect_array_refused(npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8), "header");
  expect_array_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8), "header");
  expect_array_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8), "header");
  expect_array_refused(npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), "header");
  expect_array_refused(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 8), "got <f8");
  expect_array_refused(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8), "got >f4");
  expect_array_refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8), "Fortran");
  expect_array_refused(npy(kTwoFloats, 7), "expected 8 bytes");
  expect_array_refused(npy(kTwoFloats, 9), "expected 8 bytes");
  expect_array_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296), }", 8),
                       "too large");
}

// As long as the search goes on for an entry made of nothing else, the file could keep it busy for hours.
TEST(Zip, GivesUpLookingForAnEntryWhoseBeginningIsEverywhere) {
  const std::string zeros(1 << 18, '\0');
  const std::string file = zip_of({{.name = "a", .data = zeros}, {.name = "b", .data = zeros + '\1'}});
  std::vector<FileBytes> pieces;
  pieces.push_back(FileBytes::borrow(as_bytes(file)));
  ZipFile zip(std::move(pieces), "x.zip", "zip");
  EXPECT_TRUE(zip.view("a"));
  EXPECT_FALSE(zip.view("b"));
}

}  // namespace
}  // namespace paligemma
