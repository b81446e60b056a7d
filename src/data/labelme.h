// The picture inside a LabelMe document.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace paligemma {

// Its file's bytes, of SamplePicture::in_labelme. Throws Error{input, "image_decode"}, or "json" for what is no
// document.
std::vector<std::byte> labelme_picture(const std::filesystem::path& file);

}  // namespace paligemma
