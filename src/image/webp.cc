// WebP, by libwebp.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "image/exif.h"
#include "image/formats.h"

namespace paligemma {
namespace {

struct Delete {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

int orientation_of(const WebPData& data) {
  const std::unique_ptr<WebPDemuxer, Delete> demuxer(WebPDemux(&data));
  WebPChunkIterator chunk{};
  if (demuxer == nullptr || WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) == 0) return 1;
  const int orientation = exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

bool decode_first_frame(const WebPData& data, Picture& picture) {
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0) return false;
  options.color_mode = MODE_RGBA;
  const std::unique_ptr<WebPAnimDecoder, Delete> decoder(WebPAnimDecoderNew(&data, &options));
  std::uint8_t* rgba = nullptr;  // the decoder's canvas
  int timestamp = 0;
  WebPAnimInfo info;
  if (decoder == nullptr || WebPAnimDecoderGetInfo(decoder.get(), &info) == 0 ||
      info.canvas_width != static_cast<std::uint32_t>(picture.width) ||
      info.canvas_height != static_cast<std::uint32_t>(picture.height) ||
      WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp) == 0) {
    return false;
  }
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = rgba[i / 3 * 4 + i % 3];
  return true;
}

}  // namespace

Decoded decode_webp(Bytes file, std::int64_t max_pixels) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(file.data()), file.size()};
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK)
    fail_decode("truncated or damaged WebP header");
  check_size(features.width, features.height, max_pixels);
  Picture picture = blank_picture(features.width, features.height);
  const bool done = features.has_animation != 0 ? decode_first_frame(data, picture)
                                                : WebPDecodeRGBInto(data.bytes, data.size, picture.rgb.data(),
                                                                    picture.rgb.size(), picture.width * 3) != nullptr;
  if (!done) fail_decode("truncated or damaged WebP");
  return {std::move(picture), orientation_of(data)};
}

}  // namespace paligemma
