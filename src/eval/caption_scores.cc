#include "eval/caption_scores.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "text/characters.h"

namespace paligemma {
namespace {

constexpr std::size_t kLongest = 4;  // words of an n-gram

// Numbers for words, so that n-grams compare fast.
class WordNumbers {
 public:
  // A word with a space in it ("1\u00a01/2", a telephone number) is several here, as the reference splits its text.
  std::vector<int> read(const Words& words) {
    std::vector<int> ids;
    for (const std::string& word : words) {
      const std::u32string characters = code_points(word);
      for (std::size_t at = 0; at < characters.size();) {
        const auto end = static_cast<std::size_t>(
            std::find_if(characters.begin() + std::ptrdiff_t(at), characters.end(), is_space) - characters.begin());
        if (end > at)
          ids.push_back(ids_.try_emplace(characters.substr(at, end - at), static_cast<int>(ids_.size())).first->second);
        at = end + 1;
      }
    }
    return ids;
  }

 private:
  std::map<std::u32string, int> ids_;
};

using Gram = std::vector<int>;
using GramCounts = std::map<Gram, int>;

// The n-grams of one to four words.
GramCounts count_grams(const std::vector<int>& words) {
  GramCounts counts;
  for (std::size_t n = 1; n <= kLongest; ++n)
    for (std::size_t at = 0; at + n <= words.size(); ++at)
      ++counts[Gram(words.begin() + std::ptrdiff_t(at), words.begin() + std::ptrdiff_t(at + n))];
  return counts;
}

// An n-gram's number times how rare it is.
struct WeightedGrams {
  std::map<Gram, double> weights;
  std::array<double, kLongest> norms{};
  double bigrams = 0;  // what stands for the length
};

class Rarity {
 public:
  // In how many pictures' references an n-gram is.
  void add_picture(const std::vector<GramCounts>& references) {
    std::set<Gram> seen;
    for (const GramCounts& counts : references)
      for (const auto& [gram, count] : counts) seen.insert(gram);
    for (const Gram& gram : seen) ++pictures_of_[gram];
    ++pictures_;
  }

  WeightedGrams weigh(const GramCounts& counts) const {
    WeightedGrams grams;
    for (const auto& [gram, count] : counts) {
      const auto found = pictures_of_.find(gram);
      const double pictures = found == pictures_of_.end() ? 1 : found->second;
      const double weight = count * (std::log(pictures_) - std::log(pictures));
      grams.weights.emplace_hint(grams.weights.end(), gram, weight);
      grams.norms[gram.size() - 1] += weight * weight;
      if (gram.size() == 2) grams.bigrams += count;
    }
    for (double& norm : grams.norms) norm = std::sqrt(norm);
    return grams;
  }

 private:
  std::map<Gram, double> pictures_of_;
  double pictures_ = 0;
};

// The mean over lengths of n-grams.
double cider_similarity(const WeightedGrams& given, const WeightedGrams& reference) {
  constexpr double kSigma = 6;
  std::array<double, kLongest> products{};
  for (const auto& [gram, weight] : given.weights)
    if (const auto found = reference.weights.find(gram); found != reference.weights.end())
      products[gram.size() - 1] += std::min(weight, found->second) * found->second;
  const double difference = given.bigrams - reference.bigrams;
  const double penalty = std::exp(-(difference * difference) / (2 * kSigma * kSigma));
  double sum = 0;
  for (std::size_t n = 0; n < kLongest; ++n) {
    const double norms = given.norms[n] * reference.norms[n];
    sum += (norms != 0 ? products[n] / norms : products[n]) * penalty;
  }
  return sum / kLongest;
}

// What BLEU is computed of: for each length, n-grams that are right and all; words, and those of the reference that is
// nearest in length.
struct BleuCounts {
  std::array<double, kLongest> right{}, all{};
  double words = 0, reference_words = 0;

  BleuCounts& operator+=(const BleuCounts& other) {
    for (std::size_t n = 0; n < kLongest; ++n) right[n] += other.right[n], all[n] += other.all[n];
    words += other.words;
    reference_words += other.reference_words;
    return *this;
  }
};

BleuCounts count_bleu(const CaptionWords& caption) {
  WordNumbers numbers;
  const std::vector<int> given = numbers.read(caption.prediction);
  GramCounts most;
  std::vector<std::size_t> lengths;
  for (const Words& reference : caption.references) {
    lengths.push_back(reference.size());
    for (const auto& [gram, count] : count_grams(numbers.read(reference))) {
      int& highest = most[gram];
      highest = std::max(highest, count);
    }
  }
  BleuCounts counts{.words = static_cast<double>(given.size())};
  const auto nearest = std::ranges::min_element(lengths, {}, [&](std::size_t length) {
    const std::size_t distance = length > given.size() ? length - given.size() : given.size() - length;
    return std::pair(distance, length);
  });
  if (nearest != lengths.end()) counts.reference_words = static_cast<double>(*nearest);
  for (std::size_t n = 0; n < kLongest; ++n)
    counts.all[n] = given.size() > n ? static_cast<double>(given.size() - n) : 0;
  for (const auto& [gram, count] : count_grams(given))
    if (const auto found = most.find(gram); found != most.end())
      counts.right[gram.size() - 1] += std::min(count, found->second);
  return counts;
}

std::array<double, 4> bleu_of(const BleuCounts& counts) {
  constexpr double kTiny = 1e-15, kSmall = 1e-9;  // the reference's guards against dividing by zero
  std::array<double, 4> scores{};
  const double ratio = (counts.words + kTiny) / (counts.reference_words + kSmall);
  double product = 1;
  for (std::size_t n = 0; n < kLongest; ++n) {
    product *= (counts.right[n] + kTiny) / (counts.all[n] + kSmall);
    scores[n] = std::pow(product, 1.0 / static_cast<double>(n + 1)) * (ratio < 1 ? std::exp(1 - 1 / ratio) : 1);
  }
  return scores;
}

// Words of the longest common subsequence.
std::size_t common_words(const Words& a, const Words& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (const std::string& word : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::vector<double> cider(std::span<const CaptionWords> captions) {
  WordNumbers numbers;
  Rarity rarity;
  std::vector<std::vector<GramCounts>> references(captions.size());
  for (std::size_t i = 0; i < captions.size(); ++i) {
    for (const Words& reference : captions[i].references) references[i].push_back(count_grams(numbers.read(reference)));
    rarity.add_picture(references[i]);
  }
  std::vector<double> scores;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    const WeightedGrams given = rarity.weigh(count_grams(numbers.read(captions[i].prediction)));
    double sum = 0;
    for (const GramCounts& reference : references[i]) sum += cider_similarity(given, rarity.weigh(reference));
    scores.push_back(references[i].empty() ? 0 : 10 * sum / static_cast<double>(references[i].size()));
  }
  return scores;
}

Bleu bleu(std::span<const CaptionWords> captions) {
  Bleu scores;
  BleuCounts sum;
  for (const CaptionWords& caption : captions) {
    const BleuCounts counts = count_bleu(caption);
    scores.each.push_back(bleu_of(counts));
    sum += counts;
  }
  scores.all = bleu_of(sum);
  return scores;
}

double rouge_l(const CaptionWords& caption) {
  constexpr double kBeta = 1.2;
  // A text without words counts as one empty word, as the reference splits it.
  const auto split = [](const Words& words) { return words.empty() ? Words{""} : words; };
  const Words given = split(caption.prediction);
  double precision = 0, recall = 0;
  for (const Words& words : caption.references) {
    const Words reference = split(words);
    const auto common = static_cast<double>(common_words(given, reference));
    precision = std::max(precision, common / static_cast<double>(given.size()));
    recall = std::max(recall, common / static_cast<double>(reference.size()));
  }
  if (precision == 0 || recall == 0) return 0;
  return (1 + kBeta * kBeta) * precision * recall / (recall + kBeta * kBeta * precision);
}

}  // namespace paligemma
