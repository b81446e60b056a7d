// RefCOCO, RefCOCO+ and RefCOCOg: expressions in a pickle, the objects that they mean in a COCO document beside it.
#include "data/coco.h"
#include "data/pickle.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

struct CocoObjects {
  CocoDocumentParts parts;
  std::unordered_map<std::int64_t, std::size_t> places;  // id -> place among the annotations
};

// What a ref means; nothing where the document does not have it.
std::optional<Sample> ref_frame(const CocoObjects& coco, const Json& ref) {
  const Json* id = member(ref, "ann_id");
  const auto place = id && id->is_number_integer() ? coco.places.find(id->get<std::int64_t>()) : coco.places.end();
  if (place == coco.places.end()) return {};
  const CocoAnnotation& one = coco.parts.annotations[place->second];
  const auto image = coco.parts.images.find(one.image);
  if (image == coco.parts.images.end()) return {};
  const CocoImage& picture = coco.parts.image_order[image->second].second;
  Sample sample{.picture = {.name = picture.name},
                .width = picture.width,
                .height = picture.height,
                .task = SampleTask::refer,
                .split = split_of_word(member_text(ref, "split"))};
  const auto category = coco.parts.categories.find(one.category);
  sample.objects.push_back({.label = category != coco.parts.categories.end() ? category->second : std::string(),
                            .box = one.box,
                            .shape = one.shape});
  return sample;
}

}  // namespace

void read_refs(Reading& reading, const fs::path& pickle, const fs::path& instances) {
  const std::string where = shown(reading, pickle);
  CocoObjects coco{.parts = read_coco_document(reading, instances)};
  for (std::size_t i = 0; i < coco.parts.annotations.size(); ++i) coco.places.emplace(coco.parts.annotations[i].id, i);
  const Json refs = parse_pickle(read_annotations(pickle).bytes(), where, ErrorKind::usage);
  if (!refs.is_array()) return report(reading, "bad_row", where, "expected a list of refs");
  std::size_t number = 0;
  for (const Json& ref : refs) {
    const std::string place = join(where, ": ref ", ++number);
    const auto frame = ref_frame(coco, ref);
    const Json* sentences = member(ref, "sentences");
    if (!frame || !sentences || !sentences->is_array()) {
      report(reading, "bad_row", place, "expected sentences, and an ann_id that " + shown(reading, instances) + " has");
      continue;
    }
    for (const Json& sentence : *sentences) {
      Sample sample = *frame;
      sample.prefix = member_text(sentence, "sent");
      if (const Json* id = member(sentence, "sent_id")) sample.id = sample.source_id = id_text(*id);
      if (sample.prefix.empty()) {
        report(reading, "empty_answer", place, "expected an expression, got none");
      } else {
        add_sample(reading, std::move(sample), instances.parent_path(), place);
      }
    }
  }
}

}  // namespace paligemma
