#include "text/learn_tokenizer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "io/json.h"
#include "text/characters.h"
#include "text/vocabulary.h"

namespace paligemma {
namespace {

constexpr std::array<const char*, 5> kFirstPieces{"<pad>", "<eos>", "<bos>", "<unk>", "<unused0>"};

using Word = std::vector<std::string>;  // its pieces as far as they are merged
using Pair = std::pair<std::string, std::string>;

std::string numbered(const char* format, int number) {
  char name[16];
  std::snprintf(name, sizeof name, format, number);
  return name;
}

enum class CharacterKind { space, letter, spelled, other };

CharacterKind kind_of(char32_t c) {
  if (c == U' ') return CharacterKind::space;
  if (is_digit(c) || is_upper(c)) return CharacterKind::spelled;
  return is_letter(c) ? CharacterKind::letter : CharacterKind::other;
}

// Words with how often they come, and the characters that are there.
class Words {
 public:
  void add(std::string_view text) {
    const std::u32string all = code_points(text);
    Word word;
    CharacterKind last = CharacterKind::other;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] == U'<') {  // a token that has an id of its own
        end(word);
        i = std::min(all.find(U'>', i), all.size());
        continue;
      }
      const CharacterKind kind = kind_of(all[i]);
      const bool behind_space = word.size() == 1 && last == CharacterKind::space;
      const bool goes_on = (kind == CharacterKind::letter && (behind_space || last == CharacterKind::letter)) ||
                           (kind == CharacterKind::other && behind_space);
      if (!goes_on) end(word);
      word.push_back(kind == CharacterKind::space ? std::string(kSpaceMark) : utf8({&all[i], 1}));
      characters.insert(word.back());
      if (kind == CharacterKind::spelled) word.clear();
      last = kind;
    }
    end(word);
  }

  std::map<Word, std::int64_t> counts{};
  std::set<std::string> characters{};

 private:
  void end(Word& word) {
    if (word.size() > 1) ++counts[word];
    word.clear();
  }
};

void merge(Word& word, const Pair& pair) {
  for (std::size_t i = 0; i + 1 < word.size(); ++i)
    if (word[i] == pair.first && word[i + 1] == pair.second) {
      word[i] += word[i + 1];
      word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
}

// In the order of learning, until there are `count` pieces that are not there yet.
std::vector<Pair> learn_merges(const std::map<Word, std::int64_t>& counts, std::set<std::string> known, int count) {
  std::vector<std::pair<Word, std::int64_t>> words(counts.begin(), counts.end());
  std::vector<Pair> merges;
  while (count > 0) {
    std::map<Pair, std::int64_t> pairs;
    for (const auto& [word, times] : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i) pairs[{word[i], word[i + 1]}] += times;
    const auto best = std::ranges::max_element(pairs, {}, &std::pair<const Pair, std::int64_t>::second);
    if (best == pairs.end()) break;
    for (auto& [word, times] : words) merge(word, best->first);
    if (known.insert(best->first.first + best->first.second).second) --count;
    merges.push_back(best->first);
  }
  return merges;
}

Json added_token(int id, const std::string& text, bool special, bool normalized) {
  return {{"id", id},        {"content", text},          {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", normalized}, {"special", special}};
}

Json replace(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

}  // namespace

std::string learn_tokenizer(std::span<const std::string> texts, int size) {
  Words words;
  for (char c = '!'; c <= '~'; ++c) words.characters.emplace(1, c);
  words.characters.insert("\n");
  words.characters.emplace(kSpaceMark);
  for (const std::string& text : texts) words.add(text);
  const int fixed = static_cast<int>(kFirstPieces.size()) + 256 + static_cast<int>(words.characters.size()) +
                    kLocTokens + kSegTokens + 1;
  if (size < fixed)
    fail(ErrorKind::usage, "vocabulary", "no room for the characters of the texts: expected a vocabulary of at least ",
         fixed, " pieces, got ", size);

  Json vocabulary = Json::object(), added = Json::array(), merges = Json::array();
  int next = 0;
  const auto add_piece = [&](const std::string& piece) {
    if (!vocabulary.contains(piece)) vocabulary[piece] = next++;
  };
  const auto add_token = [&](const std::string& text, bool special, bool normalized) {
    added.push_back(added_token(next++, text, special, normalized));
  };
  for (std::size_t i = 0; i < kFirstPieces.size(); ++i) {
    add_piece(kFirstPieces[i]);
    added.push_back(added_token(static_cast<int>(i), kFirstPieces[i], i < 4, false));
  }
  for (int byte = 0; byte < 256; ++byte) add_piece(numbered("<0x%02X>", byte));
  for (const std::string& character : words.characters) add_piece(character);
  for (const Pair& pair : learn_merges(words.counts, words.characters, size - fixed)) {
    merges.push_back({pair.first, pair.second});
    add_piece(pair.first + pair.second);
  }
  for (int i = 0; i < kLocTokens; ++i) add_token(numbered("<loc%04d>", i), false, true);
  for (int i = 0; i < kSegTokens; ++i) add_token(numbered("<seg%03d>", i), false, true);
  add_token("<image>", true, false);

  const Json split = {
      {"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
  const Json decoders = {replace(kSpaceMark, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  return dump_json({{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", added},
                    {"normalizer", replace(" ", kSpaceMark)},
                    {"pre_tokenizer", split},
                    {"post_processor", nullptr},
                    {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
                    {"model",
                     {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", "<unk>"},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", true},
                      {"byte_fallback", true},
                      {"ignore_merges", false},
                      {"vocab", vocabulary},
                      {"merges", merges}}}});
}

}  // namespace paligemma
