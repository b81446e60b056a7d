// COCO's captions, and Karpathy's document of them.
#include <map>

#include "data/readers.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

// Images and captions by the images' ids, as they come.
struct CaptionParts {
  std::map<std::string, Sample> images;
  std::vector<std::string> order;
  std::vector<std::pair<std::string, std::string>> captions;
};

void read_caption_item(Reading& reading, CaptionParts& parts, const std::string& key, const Json& value,
                       const std::string& where) {
  if (key != "images" && key != "annotations") return;
  const Json* id = member(value, key == "images" ? "id" : "image_id");
  const std::string text = member_text(value, key == "images" ? "file_name" : "caption");
  const std::string id_of = id ? id_text(*id) : std::string();
  if (id_of.empty() || (key == "images" && text.empty()))
    return report(reading, "bad_row", where,
                  "expected an id with a file_name or a caption, got " + dump_json(value).substr(0, 200));
  if (key == "annotations") {
    parts.captions.emplace_back(id_of, text);
  } else if (parts.images.emplace(id_of, Sample{.picture = {.name = text}}).second) {
    parts.order.push_back(id_of);
  } else {
    report(reading, "duplicate_id", where, "expected each image's id once, got " + id_of + " again");
  }
}

}  // namespace

void read_captions(Reading& reading, const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  const std::string where = shown(reading, file);
  CaptionParts parts;
  parse_json_items(bytes.text(), where, ErrorKind::usage, [&](const std::string& key, const Json& value) {
    read_caption_item(reading, parts, key, value, where);
    return true;
  });
  for (auto& [id, caption] : parts.captions) {
    const auto image = parts.images.find(id);
    if (image == parts.images.end()) {
      report(reading, "bad_row", where, "expected the id of an image, got image_id " + id);
    } else {
      image->second.answers.push_back(std::move(caption));
    }
  }
  for (const std::string& id : parts.order) {
    Sample& sample = parts.images.at(id);
    sample.id = join(where, "#", id);
    sample.source_id = id;
    sample.task = SampleTask::caption;
    sample.split = split_of(reading, file);
    add_sample(reading, std::move(sample), file.parent_path(), join(where, ": image ", id));
  }
}

void read_karpathy(Reading& reading, const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  const std::string where = shown(reading, file);
  std::size_t number = 0;
  parse_json_items(bytes.text(), where, ErrorKind::usage, [&](const std::string& key, const Json& image) {
    if (key != "images") return true;
    const std::string place = join(where, ": image ", ++number);
    const std::string folder = member_text(image, "filepath"), name = member_text(image, "filename");
    const Json* sentences = member(image, "sentences");
    if (name.empty() || !sentences || !sentences->is_array()) {
      report(reading, "bad_row", place, "expected an image with a filename and sentences");
      return true;
    }
    Sample sample{.picture = {.name = folder.empty() ? name : folder + "/" + name}, .task = SampleTask::caption};
    for (const Json& sentence : *sentences) sample.answers.push_back(member_text(sentence, "raw"));
    sample.split = split_of_word(member_text(image, "split"));
    add_sample(reading, std::move(sample), file.parent_path(), place);
    return true;
  });
}

}  // namespace paligemma
