#include <filesystem>

#include "base/error.h"
#include "detect/mask.h"
#include "report/annotations.h"
#include "report/printable.h"

namespace paligemma {

std::string voc_annotation(const Result& result) {
  const std::filesystem::path path(result.path);
  std::string xml =
      join("<annotation>\n  <folder>", printable_markup(path.parent_path().filename().string()), "</folder>\n",
           "  <filename>", printable_markup(path.filename().string()), "</filename>\n", "  <path>",
           printable_markup(result.path), "</path>\n", "  <source><database>Unknown</database></source>\n",
           "  <size><width>", result.width, "</width><height>", result.height, "</height><depth>3</depth></size>\n",
           "  <segmented>0</segmented>\n");
  for (const Object& object : result.objects) {
    const PixelRange xs = pixels_between(object.box[0], object.box[2], result.width);
    const PixelRange ys = pixels_between(object.box[1], object.box[3], result.height);
    xml += join("  <object>\n    <name>", printable_markup(category_name(object)), "</name>\n",
                "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>\n", "    <bndbox><xmin>",
                xs.first + 1, "</xmin><ymin>", ys.first + 1, "</ymin><xmax>", xs.last, "</xmax><ymax>", ys.last,
                "</ymax></bndbox>\n  </object>\n");
  }
  return xml + "</annotation>\n";
}

}  // namespace paligemma
