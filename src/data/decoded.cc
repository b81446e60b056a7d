#include "data/decoded.h"

#include "base/error.h"
#include "data/checks.h"
#include "data/dataset.h"
#include "data/labelme.h"
#include "data/shape.h"
#include "io/file.h"

namespace paligemma {
namespace {

Picture read_sample_picture(const Sample& sample, const DecodeOptions& options) {
  if (!sample.picture.in_labelme) return read_picture(sample.picture.path, options);
  return decode_picture(labelme_picture(sample.picture.path), options);
}

bool is_of_size(const Sample& sample, int width, int height) {
  return sample.width == 0 || (sample.width == width && sample.height == height);
}

DecodedObject decoded_object(const SampleObject& object, const Sample& sample, const Picture& picture) {
  DecodedObject decoded{.label = object.label, .box = object.box, .seg = object.seg};
  const bool masks = sample.task == SampleTask::segment || sample.task == SampleTask::refer;
  if (masks && !object.shape.empty()) decoded.mask = rasterize(object.shape, picture.width, picture.height);
  if (decoded.mask && decoded.mask->inside.empty()) decoded.mask.reset();
  return decoded;
}

}  // namespace

bool bring_to_pixels(Sample& sample, int width, int height) {
  if (!is_of_size(sample, width, height)) return false;
  sample.width = width, sample.height = height;
  if (sample.unit == Unit::pixels) return true;
  sample.unit = Unit::pixels;
  for (SampleObject& object : sample.objects) {
    object.box = {object.box[0] * width, object.box[1] * height, object.box[2] * width, object.box[3] * height};
    for (std::vector<double>& polygon : object.shape.polygons)
      for (std::size_t i = 0; i < polygon.size(); ++i) polygon[i] *= i % 2 == 0 ? width : height;
  }
  return true;
}

DecodedSample place_sample(const Sample& sample, Picture picture) {
  Sample placed = sample;
  const bool has_objects = !placed.objects.empty();
  if (!bring_to_pixels(placed, picture.width, picture.height) && has_objects)
    fail(ErrorKind::input, "image_size", "cannot use the picture: ", sample.picture.path.native(), ": expected ",
         sample.width, " x ", sample.height, " as its boxes say, got ", picture.width, " x ", picture.height);
  DecodedSample decoded{.task = sample.task, .prefix = sample.prefix, .answers = sample.answers};
  for (SampleObject& object : placed.objects) {
    const char* problem = fit_box(object.box, picture.width, picture.height, 0);
    const bool is_seen = !problem || problem == std::string_view("box_clipped");
    if (!is_seen || object.crowd) continue;
    decoded.objects.push_back(decoded_object(object, placed, picture));
  }
  decoded.picture = std::move(picture);
  return decoded;
}

DecodedSample decode_sample(const Sample& sample, const DecodeOptions& options) {
  Picture picture = read_sample_picture(sample, options);
  const bool turned = options.apply_exif && !sample.objects.empty() &&
                      !is_of_size(sample, picture.width, picture.height) &&
                      is_of_size(sample, picture.height, picture.width);
  if (turned) {
    DecodeOptions as_stored = options;
    as_stored.apply_exif = false;
    picture = read_sample_picture(sample, as_stored);
  }
  return place_sample(sample, std::move(picture));
}

DecodedSample sample_in_epoch(const Dataset& data, std::size_t place, std::uint64_t epoch,
                              const DecodeOptions& options) {
  return data.drawn ? data.drawn(place, epoch) : decode_sample(data.samples[place], options);
}

}  // namespace paligemma
