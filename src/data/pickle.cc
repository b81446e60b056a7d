#include "data/pickle.h"

#include <algorithm>
#include <map>

#include "data/pickle_machine.h"

namespace paligemma {
namespace {

constexpr std::size_t kDeepestPickle = 100;

// The values that hang together become one tree: what is shared is copied.
class PickleTree {
 public:
  PickleTree(const PickleHeap& heap, std::size_t budget) : heap_(heap), budget_(budget) {}

  // `problem()` is not empty afterwards where that is no tree.
  Json tree(std::size_t node, std::size_t depth) {
    const PickleNode& value = heap_[node];
    if (depth > kDeepestPickle) return refuse("values nested too deeply");
    if (!spend(sizeof(Json) + (value.scalar.is_string() ? value.scalar.get_ref<const std::string&>().size() : 0)))
      return nullptr;
    if (value.kind == PickleNode::Kind::scalar) return value.scalar;
    if (value.kind == PickleNode::Kind::list) {
      Json list = Json::array();
      for (std::size_t i = 0; i < value.items.size() && problem_.empty(); ++i)
        list.push_back(tree(value.items[i], depth + 1));
      return list;
    }
    return map(value, depth);
  }

  const std::string& problem() const { return problem_; }

 private:
  Json map(const PickleNode& value, std::size_t depth) {
    // The last one of equal keys counts, in the place of the first.
    std::map<std::string, std::size_t> places;
    Json json = Json::object();
    auto& members = static_cast<Json::object_t::Container&>(json.get_ref<Json::object_t&>());
    for (std::size_t i = 0; i + 1 < value.items.size() && problem_.empty(); i += 2) {
      std::string key = key_text(value.items[i]);
      if (!problem_.empty() || !spend(sizeof(Json) + key.size())) break;
      Json member = tree(value.items[i + 1], depth + 1);
      const auto [at, is_new] = places.emplace(key, members.size());
      if (is_new) {
        members.emplace_back(std::move(key), std::move(member));
      } else {
        members[at->second].second = std::move(member);
      }
    }
    return json;
  }

  std::string key_text(std::size_t node) {
    const Json& key = heap_[node].scalar;
    if (heap_[node].kind == PickleNode::Kind::scalar) {
      if (key.is_string()) return key.get<std::string>();
      if (key.is_number_integer()) return key.dump();
    }
    return refuse("a key that is neither text nor a whole number"), std::string();
  }

  bool spend(std::size_t bytes) {
    if (bytes > budget_) refuse("more shared values than the file justifies");
    budget_ -= std::min(bytes, budget_);
    return problem_.empty();
  }

  Json refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return nullptr;
  }

  const PickleHeap& heap_;
  std::size_t budget_;
  std::string problem_;
};

}  // namespace

Json parse_pickle(std::span<const std::byte> bytes, std::string_view where, ErrorKind kind) {
  PickleMachine machine(bytes);
  if (!machine.run())
    fail(kind, "pickle", "cannot read a pickle: ", where, ": byte ", machine.at(), ": expected plain data, got ",
         machine.problem());
  constexpr std::size_t kBytesForAByte = 64, kFree = 1 << 20;
  PickleTree builder(machine.heap(), kFree + kBytesForAByte * bytes.size());
  Json json = builder.tree(machine.result(), 0);
  if (!builder.problem().empty())
    fail(kind, "pickle", "cannot read a pickle: ", where, ": expected plain data, got ", builder.problem());
  return json;
}

}  // namespace paligemma
