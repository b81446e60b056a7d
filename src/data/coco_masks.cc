#include "data/coco_masks.h"

#include <algorithm>
#include <cmath>

#include "data/checks.h"
#include "data/coco.h"
#include "data/recognise.h"
#include "data/shape.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

// No picture bounds what a document says. Of pixels a mask may have as many, and of columns each edge of a polygon.
constexpr std::int64_t kMostPixels = DecodeOptions{}.max_pixels, kMostOnASide = 1 << 15;

struct MaskFrame {
  std::int64_t width = 0, height = 0;
};

// A document that leaves its pictures' sizes out says them by run lengths, or polygons tell how far it is at least.
MaskFrame frame_of(const CocoImage& image, const ObjectShape& shape) {
  if (image.width > 0) return {image.width, image.height};
  if (shape.runs.height > 0) return {shape.runs.width, shape.runs.height};
  const auto box = hull(shape.polygons);
  if (!box) return {};
  return {std::llround(std::ceil((*box)[2])), std::llround(std::ceil((*box)[3]))};
}

bool runs_fit(const RunLengths& runs, std::int64_t width, std::int64_t height) {
  if (runs.counts.empty()) return true;  // polygons
  if (runs.height > 0) return runs.width == width && runs.height == height;
  return fits({.width = int(width), .height = int(height), .counts = runs.counts});
}

void check_coco(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error))
    fail(ErrorKind::usage, "data_not_found", "cannot read masks: ", file.native(), ": expected a file, got ",
         error ? error.message() : "something else");
  const Form form = recognise(file);
  if (form != Form::coco && form != Form::keypoints)
    fail(ErrorKind::usage, "data_unknown", "cannot read masks: ", file.native(),
         ": expected a COCO document with segmentations, got ",
         form == Form::unknown ? "something else" : form_name(form), ". Try: a folder of PNG files, one mask each");
}

class CocoMaskReader {
 public:
  CocoMaskReader(Reading& reading, const CocoDocumentParts& parts, std::string where, const TakeMask& take)
      : reading_(reading), parts_(parts), where_(std::move(where)), take_(take) {}

  CocoMasks read() {
    for (const CocoAnnotation& one : parts_.annotations) read(one);
    if (taken_ == 0) refuse();
    masks_.problems = std::move(reading_.data.problems);
    return std::move(masks_);
  }

 private:
  void read(const CocoAnnotation& one) {
    if (one.crowd) {
      ++masks_.crowds;
      return;
    }
    if (one.shape.empty()) {
      ++masks_.without_mask;
      return;
    }
    const std::string place = join(where_, ": annotation ", one.id);
    const auto image = parts_.images.find(one.image);
    if (image == parts_.images.end())
      return report(reading_, "bad_row", place, join("expected the id of an image, got image_id ", one.image));
    const auto [width, height] = frame_of(parts_.image_order[image->second].second, one.shape);
    if (std::min(width, height) < 1 || std::max(width, height) > kMostOnASide || width * height > kMostPixels)
      return report(reading_, "bad_shape", place,
                    join("expected a picture of 1 to ", kMostPixels, " pixels, at most ", kMostOnASide, " a side, got ",
                         width, " x ", height));
    if (!runs_fit(one.shape.runs, width, height))
      return report(reading_, "bad_shape", place, join("expected run lengths of ", width, " x ", height, " pixels"));
    std::array<double, 4> box = one.box;
    const char* problem = fit_box(box, double(width), double(height), 0);
    if (problem && problem != std::string_view("box_clipped"))
      return report(reading_, problem, place, join("expected a box inside ", width, " x ", height));
    ++taken_;
    take_(rasterize(one.shape, int(width), int(height)), box);
  }

  [[noreturn]] void refuse() const {
    const std::vector<Problem>& problems = reading_.data.problems;
    const std::string first = problems.empty()
                                  ? ""
                                  : join(" and ", problems.size(), " problems, the first: ", problems[0].where, ": ",
                                         problems[0].code, ": ", problems[0].text);
    fail(ErrorKind::usage, "data_no_masks", "cannot read masks: ", where_,
         ": expected annotations with polygons or run lengths, got none, ", masks_.without_mask, " boxes alone, ",
         masks_.crowds, " crowds", first);
  }

  Reading& reading_;
  const CocoDocumentParts& parts_;
  std::string where_;
  const TakeMask& take_;
  CocoMasks masks_;
  std::int64_t taken_ = 0;
};

}  // namespace

CocoMasks read_coco_masks(const fs::path& file, const TakeMask& take) {
  check_coco(file);
  Dataset data{.root = file.parent_path()};
  const DatasetOptions options;
  PictureFinder pictures({}, {});
  Reading reading{.data = data, .options = options, .pictures = pictures};
  const CocoDocumentParts parts = read_coco_document(reading, file);
  return CocoMaskReader(reading, parts, shown(reading, file), take).read();
}

}  // namespace paligemma
